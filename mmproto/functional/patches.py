import torch.nn.functional as F
from torch import Tensor

from mmproto.errors import InputError


def unfold_patches(features: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut every ``size`` patch out of the feature maps, stride 1, no padding, row-major.

    Args:
        features: Feature maps (N, D, H, W).
        size: Height and width (h, w) of a patch.

    Returns:
        Patches (N, L, K) with L = (H-h+1) * (W-w+1) and K = D*h*w, in fp32.

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
