"""The terms of the training loss beside the cross entropy (section 2.2).

A prototype of class -1 has no class of its own: for the cluster cost it stands with every class,
for the separation cost with none, and every one of its connections counts in the L1 term.
"""

import torch
from torch import Tensor


def _own(labels: Tensor, prototype_class: Tensor) -> Tensor:
    """Which prototypes (N, P) an image of each label counts as its own."""
    return (labels[:, None] == prototype_class) | (prototype_class < 0)


def _mean_of_nearest(distances: Tensor, chosen: Tensor) -> Tensor:
    """Mean over the images of the smallest chosen distance; images that chose none stay out."""
    nearest = distances.masked_fill(~chosen, float('inf')).amin(dim=1)
    counted = chosen.any(dim=1)
    return nearest.masked_fill(~counted, 0).sum() / counted.sum().clamp(min=1)


def cluster_cost(distances: Tensor, labels: Tensor, prototype_class: Tensor) -> Tensor:
    """Clst: mean over the images of the distance to the nearest prototype of the own class.

    Args:
        distances: Distance of each image's nearest patch to each prototype (N, P).
        labels: Class of each image (N,).
        prototype_class: Class of each prototype (P,), -1 for none.
    """
    return _mean_of_nearest(distances, _own(labels, prototype_class))


def separation_cost(distances: Tensor, labels: Tensor, prototype_class: Tensor) -> Tensor:
    """Sep': mean over the images of the distance to the nearest prototype of another class.

    The paper's Sep is its negative. Shapes as in :func:`cluster_cost`; zero where no prototype
    has a class.
    """
    return _mean_of_nearest(distances, ~_own(labels, prototype_class))


def l1_cost(weight: Tensor, prototype_class: Tensor) -> Tensor:
    """Absolute sum of the weights from a prototype to the classes that are not its own.

    Args:
        weight: Weights of the last layer (num_classes, P).
        prototype_class: Class of each prototype (P,), -1 for none.
    """
    classes = torch.arange(weight.shape[0], device=weight.device)
    return weight.abs().masked_fill(classes[:, None] == prototype_class, 0).sum()
