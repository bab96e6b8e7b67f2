"""The push that gives every prototype of a class another patch, as near as can be."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import reduce

import numpy as np
import torch
from torch import Tensor

from mmproto.functional.nearest_patch import NO_IMAGE, NearestPatch, distances_of_images


@dataclass
class NearestPatches:
    """The k nearest patches that each of P prototypes has met so far, the nearest first.

    Attributes:
        distance: Distance of the prototype to the patch (P, k), infinite where fewer were met.
        image: Index in the push set of the image that the patch is part of (P, k).
        location: Row and column of the patch in its feature map (P, k, 2).
        vector: The patch itself, as prototypes are compared with it (P, k, D, h, w).
        distance_map: Distances of the prototype to all patches of that image (P, k, H', W').
    """

    distance: Tensor
    image: Tensor
    location: Tensor
    vector: Tensor
    distance_map: Tensor

    def merge(self, other: 'NearestPatches') -> 'NearestPatches':
        """Take the k nearest of both; on a tie the first image, the first patch.

        A patch that both have met, as samplers give some images to several processes, counts once.
        The order is total, so the result does not depend on who is merged with whom first.
        """
        both = [torch.cat([getattr(self, one.name), getattr(other, one.name)], 1) for one in FIELDS]
        distance, image, location = both[:3]
        order = torch.arange(distance.shape[1], device=distance.device).expand_as(distance)
        place = torch.stack([image, *location.unbind(-1)], dim=-1)
        for key in (*place.unbind(-1)[::-1], distance):
            order = order.gather(1, key.gather(1, order).argsort(dim=1, stable=True))
        rows = torch.arange(len(order), device=order.device)[:, None]
        ordered = place[rows, order]
        again = torch.zeros_like(order, dtype=torch.bool)
        again[:, 1:] = (ordered[:, 1:] == ordered[:, :-1]).all(dim=-1)
        first = again.to(torch.uint8).argsort(dim=1, stable=True)[:, : self.distance.shape[1]]
        met = NearestPatches(*(one[rows, order.gather(1, first)] for one in both))
        void = again.gather(1, first)
        met.distance.masked_fill_(void, float('inf'))
        met.image.masked_fill_(void, NO_IMAGE)
        met.location.masked_fill_(void[..., None], 0)
        return met

    @staticmethod
    def merge_all(parts: Iterable['NearestPatches']) -> 'NearestPatches':
        """Merge what several batches, or several processes, have found."""
        return reduce(NearestPatches.merge, parts)


FIELDS = fields(NearestPatches)


def nearest_patches(
    distance_of: Callable[[Tensor, Tensor], Tensor],
    patches: Tensor,
    map_size: tuple[int, int],
    labels: Tensor,
    images: Tensor,
    prototypes: Tensor,
    prototype_class: Tensor,
    k: int,
    allowed: Tensor | None = None,
) -> NearestPatches:
    """Find each prototype's k nearest patches among the images of its class in one batch.

    Args:
        distance_of: As of :func:`nearest_patch`, like all the others but ``k``.
        patches: Patches (N, L, K).
        map_size: Rows and columns (H', W').
        labels: Class of each image (N,), or which classes each has, bool (N, C).
        images: Index of each image in the push set (N,).
        prototypes: Prototypes (P, D, h, w).
        prototype_class: Class of each prototype (P,), -1 for none.
        k: How many patches to find of each prototype.
        allowed: Which patches may be chosen, bool (N, L); all if None.
    """
    count = len(prototypes)
    found = NearestPatches(
        distance=patches.new_full((count, k), float('inf')),
        image=torch.full((count, k), NO_IMAGE, device=patches.device),
        location=torch.zeros(count, k, 2, dtype=torch.long, device=patches.device),
        vector=patches.new_zeros(count, k, *prototypes.shape[1:]),
        distance_map=patches.new_zeros(count, k, *map_size),
    )
    own_distances = distances_of_images(
        distance_of, patches, labels, prototypes, prototype_class, allowed
    )
    for number, own, distances, eligible in own_distances:
        order = eligible.argsort(dim=0, stable=True)[:k].t()
        maps = distances.t().unflatten(1, map_size)[:, None].expand(-1, order.shape[1], -1, -1)
        met = NearestPatches(
            distance=eligible.t().gather(1, order),
            image=images[number].expand_as(order),
            location=torch.stack([order // map_size[1], order % map_size[1]], dim=-1),
            vector=patches[number, order].view(*order.shape, *prototypes.shape[1:]),
            distance_map=maps,
        )
        best = NearestPatches(*(getattr(found, one.name)[own] for one in FIELDS)).merge(met)
        for one in FIELDS:
            getattr(found, one.name)[own] = getattr(best, one.name)
    return found


def different_patches(found: NearestPatches, prototype_class: Tensor) -> NearestPatch:
    """Give every prototype of a class another patch, so that together they move the least.

    The assignment problem of each class, solved exactly (Crouse, "On implementing 2D rectangular
    assignment algorithms", 2016, as SciPy has it). A prototype has to know no more of its nearest
    patches than its class has prototypes: the others cannot take all of them.

    Args:
        found: As many patches of each prototype as a class has prototypes, or more.
        prototype_class: Class of each prototype (P,), -1 for none, which is a class as well.

    Returns:
        The patches; distance infinite for all prototypes of a class with too few.
    """
    from scipy.optimize import linear_sum_assignment  # here: the equations need torch alone

    chosen = torch.zeros_like(prototype_class)
    lost = torch.zeros_like(prototype_class, dtype=torch.bool)
    for label in prototype_class.unique():
        own = (prototype_class == label).nonzero().flatten()
        place = torch.cat([found.image[own][..., None], found.location[own]], dim=-1)
        patches, column = place.flatten(0, 1).unique(dim=0, return_inverse=True)
        column = column.view(len(own), -1).cpu().numpy()
        distance = found.distance[own].double().cpu().numpy()
        cost = np.full((len(own), len(patches)), np.inf)
        np.put_along_axis(cost, column, distance, axis=1)
        try:
            _, taken = linear_sum_assignment(cost)
        except ValueError:  # no assignment is finite
            lost[own] = True
            continue
        chosen[own] = torch.from_numpy((column == taken[:, None]).argmax(axis=1)).to(own)
    rows = torch.arange(len(chosen), device=chosen.device)
    result = NearestPatch(**{one.name: getattr(found, one.name)[rows, chosen] for one in FIELDS})
    result.distance.masked_fill_(lost, float('inf'))
    return result
