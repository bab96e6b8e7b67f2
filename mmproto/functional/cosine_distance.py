"""The cosine distance of a patch to a prototype, both of unit length."""

import torch.nn.functional as F
from torch import Tensor

from mmproto.functional.squared_distance import squared_distance


def unit_length(vectors: Tensor) -> Tensor:
    """Scale vectors (..., K) to length 1; a vector of zeros stays one."""
    return F.normalize(vectors, dim=-1)


def cosine_distance(patches: Tensor, prototypes: Tensor) -> Tensor:
    """``1 - z.p`` of unit vectors as ``sum (z - p)^2 / 2``, which is exact close to zero.

    The gradient is that of ``1 - z.p``, which turns a vector towards the other and asks nothing
    of its length.

    Args:
        patches: Patches (..., K) of unit length.
        prototypes: Prototypes (..., K) of unit length; the leading dimensions are broadcast.

    Returns:
        Distances (...), from 0 to 2.
    """
    lengths = (patches.square().sum(-1) + prototypes.square().sum(-1)) / 2
    return squared_distance(patches, prototypes) / 2 - (lengths - lengths.detach())


def pairwise_cosine_distance(patches: Tensor, prototypes: Tensor) -> Tensor:
    """``1 - z.p`` for all pairs.

    Args:
        patches: Patches (N, L, K) of unit length.
        prototypes: Prototypes (P, K) of unit length.

    Returns:
        Distances (N, L, P).
    """
    every = prototypes.expand(patches.shape[0], -1, -1)
    # A prototype's distances lie side by side in memory: its nearest patch is found faster.
    return (1 - every @ patches.transpose(1, 2)).transpose(1, 2)
