"""From the distance of a patch to the points that it scores (section 2.1)."""

import torch
from torch import Tensor

EPSILON = 1e-4


def log_similarity(distance: Tensor, epsilon: float = EPSILON) -> Tensor:
    """``log((d + 1) / (d + epsilon))``, at most ``log(1 / epsilon)`` where d = 0.

    Args:
        distance: Squared distances of any shape, not negative.
        epsilon: The small constant of the paper.
    """
    return torch.log((distance + 1) / (distance + epsilon))
