"""The part of an image that a similarity map marks most (section 2.3)."""

from collections.abc import Sequence

import cv2
import numpy as np

from mmproto.functional import Box
from mmproto.models import ProtoPNetHead

# Share of its values by which a map may vary and still be one number, but for rounding.
FLAT = 1e-6


def upsample(similarity_map: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Upsample a map (H', W') to ``size`` (height, width) with OpenCV's cubic interpolation.

    A constant map stays constant: rounded cubic weights would mark some pixels of it.
    """
    if np.ptp(similarity_map) <= FLAT * np.abs(similarity_map).max():
        return np.full(size, similarity_map.flat[0])
    return cv2.resize(similarity_map, dsize=size[::-1], interpolation=cv2.INTER_CUBIC)


def cell_centre(
    cell: Sequence[int], map_size: tuple[int, ...], size: tuple[int, ...]
) -> tuple[int, int]:
    """Return the pixel at the centre of a cell, once its map is upsampled.

    Args:
        cell: Row and column in the map.
        map_size: Height and width of the map (H', W').
        size: Height and width that it is upsampled to.
    """
    row, column = (int((at + 0.5) * new / old) for at, old, new in zip(cell, map_size, size))
    return row, column


def find_box(head: ProtoPNetHead, activation: np.ndarray, point: tuple[int, int]) -> Box:
    """Return the box of a match, as ``model.head.box`` asks for.

    Args:
        head: The head.
        activation: How much every pixel (height, width) matters.
        point: The pixel that the match is at, see :func:`region_box`.
    """
    return region_box(activation, point) if head.box == 'peak' else high_activation_box(activation)


def high_activation_box(activation: np.ndarray, percentile: float = 95) -> Box:
    """Bounding box of the pixels at or above a percentile of an upsampled map (section 2.3).

    Args:
        activation: Similarity of every pixel (height, width).
        percentile: Share of the pixels below the threshold, in percent.
    """
    return _around(_marked(activation, percentile))


def region_box(activation: np.ndarray, point: tuple[int, int], percentile: float = 95) -> Box:
    """Bounding box of the marked pixels that are connected with a point.

    A map with two peaks far apart gets the box of the one at the point, where
    :func:`high_activation_box` puts one rectangle around both and all that lies between. The
    point is the cell that scored: cubic interpolation can make the map higher elsewhere, between
    cells that score nearly as much. Where it makes it so much higher that the point itself is not
    marked, everything as high as the point is.

    Args:
        activation: Similarity of every pixel (height, width).
        point: Row and column of a pixel.
        percentile: Share of the pixels below the threshold, in percent.
    """
    marked = _marked(activation, percentile)
    if not marked[point]:
        marked = activation >= activation[point]
    _, regions = cv2.connectedComponents(marked.astype(np.uint8))
    return _around(regions == regions[point])


def _marked(activation: np.ndarray, percentile: float) -> np.ndarray:
    threshold, least = np.percentile(activation, percentile), activation.min()
    # Where fewer pixels than that stand out at all, the box is around those.
    few = threshold == least < activation.max()
    return activation > least if few else activation >= threshold


def _around(marked: np.ndarray) -> Box:
    rows, columns = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
    return Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
