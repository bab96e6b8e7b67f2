"""The push: for every prototype the nearest latent training patch of its class (section 2.2)."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from mmproto.functional.squared_distance import unfold_patches

NO_IMAGE = torch.iinfo(torch.int64).max


@dataclass
class NearestPatches:
    """The best patch that each of P prototypes has met so far.

    Attributes:
        distance: Squared distance of the prototype to the patch (P,), infinite for none yet.
        image: Index in the push set of the image that the patch is part of (P,).
        location: Row-major number of the patch in its feature map (P,).
        vector: The patch itself (P, D, h, w).
        distance_map: Distances of the prototype to all patches of that image (P, H', W').
    """

    distance: Tensor
    image: Tensor
    location: Tensor
    vector: Tensor
    distance_map: Tensor

    def merge(self, other: 'NearestPatches') -> 'NearestPatches':
        """Take the nearer patch of each prototype; on a tie the first image, the first patch.

        The order is total, so the result does not depend on who is merged with whom first.
        """
        better = other.distance < self.distance
        tied = other.distance == self.distance
        better |= tied & (other.image < self.image)
        better |= tied & (other.image == self.image) & (other.location < self.location)
        return NearestPatches(
            **{
                field.name: torch.where(
                    better.view(-1, *[1] * (getattr(self, field.name).ndim - 1)),
                    getattr(other, field.name),
                    getattr(self, field.name),
                )
                for field in fields(self)
            }
        )

    @staticmethod
    def merge_all(parts: Iterable['NearestPatches']) -> 'NearestPatches':
        """Merge what several batches, or several processes, have found."""
        parts = iter(parts)
        best = next(parts)
        for part in parts:
            best = best.merge(part)
        return best


def nearest_patches(
    features: Tensor,
    labels: Tensor,
    images: Tensor,
    prototypes: Tensor,
    prototype_class: Tensor,
) -> NearestPatches:
    """Find each prototype's nearest patch among the images of its own class in one batch.

    Only a prototype's own class is compared, by the differences themselves, not by the expanded
    form: the same to the bit however the images are spread over batches.

    Args:
        features: Feature maps (N, D, H, W).
        labels: Class of each image (N,).
        images: Index of each image in the push set (N,), ascending.
        prototypes: Prototypes (P, D, h, w).
        prototype_class: Class of each prototype (P,), -1 for none: every image is its own.

    Returns:
        The nearest patches; distance infinite where the batch has no image of the class.
    """
    h, w = prototypes.shape[-2:]
    rows, columns = features.shape[-2] - h + 1, features.shape[-1] - w + 1
    patches = unfold_patches(features, (h, w))
    found = NearestPatches(
        distance=patches.new_full((len(prototypes),), float('inf')),
        image=torch.full_like(prototype_class, NO_IMAGE),
        location=torch.zeros_like(prototype_class),
        vector=torch.zeros_like(prototypes, dtype=patches.dtype),
        distance_map=patches.new_zeros(len(prototypes), rows, columns),
    )
    everyone = torch.arange(len(labels), device=labels.device)
    for label in {-1, *labels.tolist()}:
        own = (prototype_class == label).nonzero().flatten()
        members = everyone if label < 0 else (labels == label).nonzero().flatten()
        if not len(own):
            continue
        distances = torch.cdist(
            patches[members],
            prototypes[own].flatten(1).float(),
            compute_mode='donot_use_mm_for_euclid_dist',
        ).square()
        # argmin promises the first of equals; the rows run over images, then patches.
        nearest = distances.flatten(0, 1).argmin(dim=0)
        member, location = nearest // (rows * columns), nearest % (rows * columns)
        each = torch.arange(len(own), device=own.device)
        found.distance[own] = distances[member, location, each]
        found.image[own] = images[members[member]]
        found.location[own] = location
        found.vector[own] = patches[members[member], location].view_as(found.vector[own])
        found.distance_map[own] = distances[member, :, each].unflatten(1, (rows, columns))
    return found
