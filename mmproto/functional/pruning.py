"""Which prototypes do not stand for their class (supplement, section S8)."""

from torch import Tensor


def nearest_image_classes(distances: Tensor, labels: Tensor, k: int) -> Tensor:
    """Classes of the k images whose nearest patch is nearest to each prototype.

    Args:
        distances: Distance of each image's nearest patch to each prototype (N, P).
        labels: Class of each image (N,).
        k: How many neighbours.

    Returns:
        Classes (P, k), nearest first; of equally near images the first comes first.
    """
    return labels[distances.sort(dim=0, stable=True).indices[:k]].t()


def speaks_for_its_class(classes: Tensor, prototype_class: Tensor, threshold: int) -> Tensor:
    """Which prototypes have at least ``threshold`` neighbours of their own class.

    Args:
        classes: Classes of each prototype's neighbours (P, k).
        prototype_class: Class of each prototype (P,).
        threshold: How many neighbours of the own class keep a prototype.

    Returns:
        Bool (P,): True for the prototypes to keep.
    """
    return (classes == prototype_class[:, None]).sum(dim=1) >= threshold
