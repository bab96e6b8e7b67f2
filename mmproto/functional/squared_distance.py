"""Squared distances between the patches of a feature map and the prototypes (section 2.1)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmproto.errors import InputError
from mmproto.functional.precision import true_fp32


def unfold_patches(features: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut every ``size`` patch out of the feature maps, stride 1, no padding, row-major.

    Args:
        features: Feature maps (N, D, H, W).
        size: Height and width (h, w) of a patch.

    Returns:
        Patches (N, L, D*h*w) with L = (H-h+1) * (W-w+1), in fp32.

    Raises:
        InputError: If the maps are smaller than a patch.
    """
    height, width = features.shape[-2:]
    if height < size[0] or width < size[1]:
        raise InputError(
            f'prototype_size={tuple(size)} does not fit the {height}x{width} feature map: '
            'make the prototypes smaller or the input image larger'
        )
    features = features.float()
    columns = features.flatten(2) if tuple(size) == (1, 1) else F.unfold(features, size)
    return columns.transpose(1, 2)


def _expanded_distances(patches: Tensor, prototypes: Tensor) -> Tensor:
    """``|z|^2 - 2 z.p + |p|^2`` of (N, L, K) patches and (P, K) prototypes: (N, L, P)."""
    products = patches @ prototypes.t()
    lengths = patches.square().sum(-1, keepdim=True) + prototypes.square().sum(-1)
    return torch.add(lengths, products, alpha=-2)


def squared_distances(features: Tensor, prototypes: Tensor) -> Tensor:
    """Squared L2 distance of every patch to every prototype.

    Args:
        features: Feature maps (N, D, H, W).
        prototypes: Prototypes (P, D, h, w).

    Returns:
        Distances (N, P, H-h+1, W-w+1) in fp32, never negative.
    """
    height, width = features.shape[-2:]
    h, w = prototypes.shape[-2:]
    with true_fp32(features.device.type):
        patches = unfold_patches(features, (h, w))
        distances = _expanded_distances(patches, prototypes.flatten(1).float())
    return distances.clamp(min=0).transpose(1, 2).unflatten(2, (height - h + 1, width - w + 1))


def nearest_distances(features: Tensor, prototypes: Tensor) -> Tensor:
    """Squared L2 distance of every image's nearest patch to every prototype.

    The nearest patch is looked up with the expanded form, which is one matrix product; its
    distance is then the sum of the squared differences, because the expanded form is off by
    several percent where a patch nearly equals the prototype. The gradient is that of the
    expanded form, 2 (z - p) as well.

    Args:
        features: Feature maps (N, D, H, W).
        prototypes: Prototypes (P, D, h, w).

    Returns:
        Distances (N, P) in fp32; exactly zero for a prototype that equals a patch.
    """
    with true_fp32(features.device.type):
        patches = unfold_patches(features, prototypes.shape[-2:])
        prototypes = prototypes.flatten(1).float()
        nearest, location = _expanded_distances(patches, prototypes).min(dim=1)
        with torch.no_grad():
            # One image at a time: (P, K) stays in the cache, (N, P, K) would not fit the memory.
            differences = (z.index_select(0, l).sub_(prototypes) for z, l in zip(patches, location))
            exact = torch.stack([difference.square_().sum(-1) for difference in differences])
        return nearest + (exact - nearest).detach()


def locate_nearest(features: Tensor, prototypes: Tensor) -> tuple[Tensor, Tensor]:
    """Like :func:`nearest_distances`, and where the nearest patches are; has no gradient.

    No loop over the images, so that a graph that is exported holds for any number of them; it
    takes N times the memory.

    Args:
        features: Feature maps (N, D, H, W).
        prototypes: Prototypes (P, D, h, w).

    Returns:
        Distances (N, P) in fp32, exactly zero for a prototype that equals a patch; and row and
        column (N, P, 2) of the patch in the map.
    """
    columns = features.shape[-1] - prototypes.shape[-1] + 1
    with torch.no_grad(), true_fp32(features.device.type):
        patches = unfold_patches(features, prototypes.shape[-2:])
        prototypes = prototypes.flatten(1).float()
        nearest = _expanded_distances(patches, prototypes).argmin(dim=1)
        # Not len(): an exported graph would take the number of images for a constant.
        images = torch.arange(patches.shape[0], device=patches.device)[:, None]
        distances = (patches[images, nearest] - prototypes).square().sum(-1)
    return distances, torch.stack([nearest // columns, nearest % columns], dim=-1)
