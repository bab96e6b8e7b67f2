"""Which annotated parts a prototype's map points at: maps, peaks, boxes, hits.

Everything is a list of M pairs of an image and a prototype, so classes may have any number of
each: ``maps = similarity[image, prototype]`` are those of the pairs.
"""

from collections.abc import Iterable

import numpy as np


def own_class_pairs(
    label: np.ndarray, prototype_class: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pair every prototype with all images of its class.

    Args:
        label: Classes of the images (N,).
        prototype_class: Classes of the prototypes (P,).

    Returns:
        Images (M,) and prototypes (M,) of the pairs, by prototype and then by image.
    """
    prototype, image = np.nonzero(prototype_class[:, None] == label)
    return image, prototype


def peaks(maps: Iterable[np.ndarray]) -> np.ndarray:
    """Where maps are greatest; of equal places the first in reading order, row by row.

    Args:
        maps: M maps (H, W). Upsampled ones may come one by one from a generator, as all at once
            would fill the memory.

    Returns:
        Rows and columns (M, 2).
    """
    found = [np.unravel_index(one.argmax(), one.shape) for one in maps]
    return np.array(found, int).reshape(-1, 2)


def boxes_around(peaks: np.ndarray, half_size: int, size: tuple[int, int]) -> np.ndarray:
    """Square boxes around peaks, cut at the border of the image.

    Args:
        peaks: Rows and columns (..., 2).
        half_size: How far a box reaches from its peak to either side, in pixels: its sides are
            ``2 * half_size + 1``, and 0 is the box of one cell where ``peaks`` are cells.
        size: Height and width of the image, in pixels (or cells).

    Returns:
        Top, bottom, left, right (..., 4); bottom and right are not inside.
    """
    first = np.maximum(peaks - half_size, 0)
    last = np.minimum(peaks + half_size + 1, size)
    return np.stack([first[..., 0], last[..., 0], first[..., 1], last[..., 1]], axis=-1)


def inside(parts: np.ndarray, boxes: np.ndarray | tuple[float, ...]) -> np.ndarray:
    """Which parts lie in boxes.

    Args:
        parts: y and x (..., num_parts, 2), not rounded, in the units of the boxes: cells are
            pixels / stride. NaN for a hidden part, which is in no box.
        boxes: Top, bottom, left, right (..., 4); bottom and right are not inside.

    Returns:
        Bool (..., num_parts).
    """
    y, x = np.moveaxis(parts, -1, 0)
    top, bottom, left, right = np.moveaxis(np.asarray(boxes)[..., None], -2, 0)
    return (top <= y) & (y < bottom) & (left <= x) & (x < right)
