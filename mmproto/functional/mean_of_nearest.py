"""What the cluster and the separation cost share.

A prototype of class -1 has no class of its own: for the cluster cost it stands with every class,
for the separation cost with none.
"""

from torch import Tensor

from mmproto.functional.labels import of_class


def own_prototypes(labels: Tensor, prototype_class: Tensor) -> Tensor:
    """Tell which prototypes (N, P) each image counts as its own.

    Args:
        labels: Class of each image (N,), or which classes each has, bool (N, C).
        prototype_class: Class of each prototype (P,), -1 for none.
    """
    return of_class(labels, prototype_class) | (prototype_class < 0)


def mean_of_nearest(distances: Tensor, chosen: Tensor) -> Tensor:
    """Average the smallest chosen distance of each image; images that chose none stay out.

    Args:
        distances: Distance of each image's nearest patch to each prototype (N, P).
        chosen: Prototypes that count for each image, bool (N, P).
    """
    nearest = distances.masked_fill(~chosen, float('inf')).amin(dim=1)
    counted = chosen.any(dim=1)
    return nearest.masked_fill(~counted, 0).sum() / counted.sum().clamp(min=1)
