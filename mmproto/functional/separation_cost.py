"""The separation cost (section 2.2)."""

from collections.abc import Callable

from torch import Tensor

from mmproto.functional.mean_of_nearest import mean_of_nearest, own_prototypes


def separation_cost(
    distances: Tensor,
    labels: Tensor,
    prototype_class: Tensor,
    average: Callable[[Tensor], None] | None = None,
) -> Tensor:
    """Sep: negative mean over the images of the distance to the nearest prototype of another class.

    ``Sep = -1/N sum_i min_{j: c_j != y_i} d_ij``

    Other classes are all those that an image does not have.

    Args:
        distances: Distance of each image's nearest patch to each prototype (N, P).
        labels: Class of each image (N,), or which classes each has, bool (N, C).
        prototype_class: Class of each prototype (P,), -1 for none, which is never another's.
        average: See :func:`mean_of_nearest`.

    Returns:
        At most zero; zero where no prototype has a class.
    """
    return -mean_of_nearest(distances, ~own_prototypes(labels, prototype_class), average)
