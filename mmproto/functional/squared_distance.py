"""The squared L2 distance of a patch to a prototype (section 2.1)."""

import torch
from torch import Tensor


def squared_distance(patches: Tensor, prototypes: Tensor) -> Tensor:
    """``sum (z - p)^2``: exact where a patch is close to a prototype, zero where it equals it.

    Args:
        patches: Patches (..., K).
        prototypes: Prototypes (..., K); the leading dimensions are broadcast.

    Returns:
        Distances (...).
    """
    return (patches - prototypes).square().sum(-1)


def pairwise_squared_distance(patches: Tensor, prototypes: Tensor) -> Tensor:
    """``|z|^2 - 2 z.p + |p|^2``: one matrix product for all pairs.

    Close to zero it is off by several percent, and may be negative, because the terms cancel.

    Args:
        patches: Patches (N, L, K).
        prototypes: Prototypes (P, K).

    Returns:
        Distances (N, L, P).
    """
    lengths = patches.square().sum(-1)[:, None]
    every = prototypes.expand(patches.shape[0], -1, -1)
    less = torch.baddbmm(lengths, every, patches.transpose(1, 2), alpha=-2)
    # A prototype's distances lie side by side in memory: its nearest patch is found faster.
    return (less + prototypes.square().sum(-1, keepdim=True)).transpose(1, 2)
