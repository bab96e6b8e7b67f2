"""The cluster cost (section 2.2)."""

from collections.abc import Callable

from torch import Tensor

from mmproto.functional.labels import image_labels
from mmproto.functional.mean_of_nearest import mean_of_nearest, own_prototypes


def cluster_cost(
    distances: Tensor,
    labels: Tensor,
    prototype_class: Tensor,
    average: Callable[[Tensor], None] | None = None,
) -> Tensor:
    """Clst: mean over the images of the distance to the nearest prototype of the own class.

    ``Clst = 1/N sum_i min_{j: c_j = y_i} d_ij``

    An image of several classes counts once for each of them, so that every one of its findings
    has a prototype near; an image of none does not count.

    Args:
        distances: Distance of each image's nearest patch to each prototype (N, P).
        labels: Class of each image (N,), or which classes each has, bool (N, C).
        prototype_class: Class of each prototype (P,), -1 for none, which is every image's own.
        average: See :func:`mean_of_nearest`.
    """
    images, classes = image_labels(labels)
    return mean_of_nearest(distances[images], own_prototypes(classes, prototype_class), average)
