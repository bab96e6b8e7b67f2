"""Which images to hold out, and which of several models to take by them."""

import torch
from torch import Tensor

from mmproto.errors import InputError


def held_out(labels: Tensor, every: int = 5) -> Tensor:
    """Choose a part of every class, the same each time: its fifth image, its tenth, and so on.

    Args:
        labels: Class of each image (N,).
        every: One image of that many is held out.

    Returns:
        Bool (N,).

    Raises:
        InputError: If no class has that many images.
    """
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        of_class = (labels == label).nonzero()[:, 0]
        chosen[of_class[every - 1 :: every]] = True
    if not chosen.any():
        raise InputError(
            f'no class has {every} training images, of which one could be held out: give '
            'val_dataloader images that are not those of test_dataloader'
        )
    return chosen


def standard_error(accuracy: float, images: int) -> float:
    """How far the accuracy on that many images typically is from that on all there could be.

    Two right and two wrong predictions are added (Agresti and Coull, 1998), since otherwise it
    would be zero where all are right.

    Args:
        accuracy: Fraction of the images that are right.
        images: Number of images.
    """
    smoothed = (accuracy * images + 2) / (images + 4)
    return (smoothed * (1 - smoothed) / (images + 4)) ** 0.5


def sparsest_within_one_standard_error(
    accuracies: list[float], connections: list[int], images: int
) -> int:
    """Choose the sparsest model that is not plainly worse than the best.

    The one-standard-error rule (Breiman et al., 1984): what is within one standard error of the
    best cannot be told from it, so the simplest of those is taken.

    Args:
        accuracies: Accuracy of each model on held-out images, as a fraction.
        connections: Number of connections of each.
        images: Number of the held-out images.

    Returns:
        The index of the model. Of several with as many connections, the most accurate.
    """
    best = max(accuracies)
    least = best - standard_error(best, images)
    good = [index for index, accuracy in enumerate(accuracies) if accuracy >= least]
    return min(good, key=lambda index: (connections[index], -accuracies[index]))
