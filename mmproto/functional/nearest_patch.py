"""The push: for every prototype the nearest latent training patch of its class (section 2.2)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from mmproto.functional.mean_of_nearest import own_prototypes

NO_IMAGE = torch.iinfo(torch.int64).max


@dataclass
class NearestPatch:
    """The best patch that each of P prototypes has met so far.

    Attributes:
        distance: Distance of the prototype to the patch (P,), infinite for none yet.
        image: Index in the push set of the image that the patch is part of (P,).
        location: Row and column of the patch in its feature map (P, 2).
        vector: The patch itself, as prototypes are compared with it (P, D, h, w).
        distance_map: Distances of the prototype to all patches of that image (P, H', W').
    """

    distance: Tensor
    image: Tensor
    location: Tensor
    vector: Tensor
    distance_map: Tensor

    def merge(self, other: 'NearestPatch') -> 'NearestPatch':
        """Take the nearer patch of each prototype; on a tie the first image, the first patch.

        The order is total, so the result does not depend on who is merged with whom first.
        """
        ours, theirs = self._order(), other._order()
        better = theirs[0] < ours[0]
        tied = theirs[0] == ours[0]
        for own, another in zip(ours[1:], theirs[1:]):
            better |= tied & (another < own)
            tied &= another == own
        return NearestPatch(
            **{
                field.name: torch.where(
                    better.view(-1, *[1] * (getattr(self, field.name).ndim - 1)),
                    getattr(other, field.name),
                    getattr(self, field.name),
                )
                for field in fields(self)
            }
        )

    def _order(self) -> tuple[Tensor, ...]:
        """Return what patches are ordered by, the most important first."""
        return self.distance, self.image, self.location[:, 0], self.location[:, 1]

    @staticmethod
    def merge_all(parts: Iterable['NearestPatch']) -> 'NearestPatch':
        """Merge what several batches, or several processes, have found."""
        parts = iter(parts)
        best = next(parts)
        for part in parts:
            best = best.merge(part)
        return best


def nearest_patch(
    distance_of: Callable[[Tensor, Tensor], Tensor],
    patches: Tensor,
    map_size: tuple[int, int],
    labels: Tensor,
    images: Tensor,
    prototypes: Tensor,
    prototype_class: Tensor,
    allowed: Tensor | None = None,
) -> NearestPatch:
    """Find each prototype's nearest patch among the images that have its class in one batch.

    Each image is compared by itself with the prototypes of its class: the same to the bit however
    the images are spread over batches.

    Args:
        distance_of: Gives the distances (L, P) of patches (L, K) to prototypes (P, K).
        patches: Patches (N, L, K), row-major.
        map_size: Rows and columns (H', W') that the L patches form.
        labels: Class of each image (N,), or which classes each has, bool (N, C).
        images: Index of each image in the push set (N,), ascending.
        prototypes: Prototypes (P, D, h, w).
        prototype_class: Class of each prototype (P,), -1 for none: every image is its own.
        allowed: Which patches may be chosen, bool (N, L); all if None. To the others the maps say
            the greatest distance of their image.

    Returns:
        The nearest patches; distance infinite where the batch has no image of the class, or none
        with a patch that is allowed.
    """
    found = NearestPatch(
        distance=patches.new_full((len(prototypes),), float('inf')),
        image=torch.full_like(prototype_class, NO_IMAGE),
        location=prototype_class.new_zeros(len(prototypes), 2),
        vector=torch.zeros_like(prototypes, dtype=patches.dtype),
        distance_map=patches.new_zeros(len(prototypes), *map_size),
    )
    own_distances = distances_of_images(
        distance_of, patches, labels, prototypes, prototype_class, allowed
    )
    for number, own, distances, eligible in own_distances:
        # argmin promises the first of equals
        nearest = eligible.argmin(dim=0)
        distance = eligible.gather(0, nearest[None])[0]
        better = distance < found.distance[own]
        chosen, place = own[better], nearest[better]
        found.distance[chosen] = distance[better]
        found.image[chosen] = images[number]
        found.location[chosen] = torch.stack([place // map_size[1], place % map_size[1]], dim=1)
        found.vector[chosen] = patches[number, place].view_as(found.vector[chosen])
        found.distance_map[chosen] = distances[:, better].t().unflatten(1, map_size)
    return found


def distances_of_images(
    distance_of: Callable[[Tensor, Tensor], Tensor],
    patches: Tensor,
    labels: Tensor,
    prototypes: Tensor,
    prototype_class: Tensor,
    allowed: Tensor | None,
) -> Iterator[tuple[int, Tensor, Tensor, Tensor]]:
    """Compare each image of a batch by itself with the prototypes of its classes.

    Args:
        distance_of: As of :func:`nearest_patch`, like all the others.
        patches: Patches (N, L, K).
        labels: Class of each image (N,), or which classes each has, bool (N, C).
        prototypes: Prototypes (P, D, h, w).
        prototype_class: Class of each prototype (P,), -1 for none.
        allowed: Which patches may be chosen, bool (N, L); all if None.

    Yields:
        Of each image that has prototypes its place in the batch, their numbers (p,), the distances
        (L, p) as maps say them, and the same with infinity for patches that may not be chosen.
    """
    vectors = prototypes.flatten(1).to(patches)
    for number, chosen_by in enumerate(own_prototypes(labels, prototype_class)):
        own = chosen_by.nonzero().flatten()
        if not len(own):
            continue
        distances = eligible = distance_of(patches[number], vectors[own])
        if allowed is not None:
            left_out = ~allowed[number][:, None]
            eligible = distances.masked_fill(left_out, float('inf'))
            distances = torch.where(left_out, distances.amax(dim=0), distances)
        yield number, own, distances, eligible
