"""Which classes images have.

Labels are the class of each image (N,), or, where an image has any number of them, none among
these, which classes each has: bool (N, C).
"""

import torch
from torch import Tensor


def of_class(labels: Tensor, classes: Tensor) -> Tensor:
    """Tell which images are of which classes.

    Args:
        labels: Class of each image (N,), or which classes each has, bool (N, C).
        classes: Classes (M,), -1 for none, of which no image is.

    Returns:
        Bool (N, M).
    """
    if labels.ndim == 1:
        return (labels[:, None] == classes) & (classes >= 0)
    return labels[:, classes.clamp(min=0)] & (classes >= 0)


def image_labels(labels: Tensor) -> tuple[Tensor, Tensor]:
    """List all labels that images have, one by one.

    Args:
        labels: Class of each image (N,), or which classes each has, bool (N, C).

    Returns:
        The image (M,) and the class (M,) of each; with one class an image M is N.
    """
    if labels.ndim == 1:
        return torch.arange(len(labels), device=labels.device), labels
    images, classes = labels.nonzero(as_tuple=True)
    return images, classes
