"""What the cluster and the separation cost share.

A prototype of class -1 has no class of its own: for the cluster cost it stands with every class,
for the separation cost with none.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from mmproto.functional.labels import of_class


def own_prototypes(labels: Tensor, prototype_class: Tensor) -> Tensor:
    """Tell which prototypes (N, P) each image counts as its own.

    Args:
        labels: Class of each image (N,), or which classes each has, bool (N, C).
        prototype_class: Class of each prototype (P,), -1 for none.
    """
    return of_class(labels, prototype_class) | (prototype_class < 0)


def mean_of_nearest(
    distances: Tensor, chosen: Tensor, average: Callable[[Tensor], None] | None = None
) -> Tensor:
    """Average the smallest chosen distance of each image; images that chose none stay out.

    Args:
        distances: Distance of each image's nearest patch to each prototype (N, P).
        chosen: Prototypes that count for each image, bool (N, P).
        average: Averages a number over all processes, in place, so that the mean of what they
            return is that of all images, however many count on each. None for one process.
    """
    nearest = distances.masked_fill(~chosen, float('inf')).amin(dim=1)
    counted = chosen.any(dim=1)
    count = counted.sum().to(distances.dtype)
    if average is not None:
        average(count)
    return nearest.masked_fill(~counted, 0).sum() / torch.where(count > 0, count, 1)
