"""Maps that know nothing of the image: what a measure gives to them is owed to chance.

Birds are in the middle of their pictures, and those of one species sit alike: a map may meet a
part without having looked.
"""

import numpy as np


def other_of_class(label: np.ndarray) -> np.ndarray:
    """Give every image another one of its class, each image once.

    ``similarity[other_of_class(label)]`` are the maps of the same prototypes in another image:
    they know where things tend to be in the class, but not where they are in the image. The other
    one comes half the class later, as neighbours in a data set are often alike.

    Args:
        label: Classes of the images (N,); all the same for any other image.

    Returns:
        Indices of images (N,). An image alone in its class keeps itself: leave it out.
    """
    other = np.empty(len(label), int)
    for one in np.unique(label):
        images = np.flatnonzero(label == one)
        other[images] = np.roll(images, -(len(images) // 2))
    return other


def centre_map(size: tuple[int, int]) -> np.ndarray:
    """Return a map that is greatest in the middle of any image.

    Args:
        size: Height and width (H, W).

    Returns:
        Minus the distance to the middle, in cells (H, W).
    """
    rows, columns = (np.arange(length) - (length - 1) / 2 for length in size)
    return -np.hypot(rows[:, None], columns)


def moved_boxes(boxes: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Move boxes to random places, each as large as it was and whole within the image.

    Args:
        boxes: Top, bottom, left and right of boxes (M, 4), int.
        size: Height and width of the image.
        rng: Draws the places.
    """
    moved = boxes.copy()
    for first, length in ((0, size[0]), (2, size[1])):
        sides = boxes[:, first + 1] - boxes[:, first]
        moved[:, first] = rng.integers(length - sides + 1)
        moved[:, first + 1] = moved[:, first] + sides
    return moved
