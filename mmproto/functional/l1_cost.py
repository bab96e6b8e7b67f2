"""The L1 term of the last layer (section 2.2, convex optimization)."""

import torch
from torch import Tensor


def l1_cost(weight: Tensor, prototype_class: Tensor) -> Tensor:
    """Sum the absolute weights from a prototype to the classes that are not its own.

    ``L1 = sum_j sum_{k != c_j} |w_kj|``

    Args:
        weight: Weights of the last layer (num_classes, P).
        prototype_class: Class of each prototype (P,), -1 for none: all of its weights count.
    """
    classes = torch.arange(weight.shape[0], device=weight.device)
    return weight.abs().masked_fill(classes[:, None] == prototype_class, 0).sum()
