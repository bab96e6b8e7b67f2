"""The part of an image that a similarity map marks most (section 2.3)."""

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


def find_box(head: ProtoPNetHead, activation: np.ndarray) -> Box:
    """Return the box of an upsampled map (height, width), as ``model.head.box`` asks for."""
    return peak_box(activation) if head.box == 'peak' else high_activation_box(activation)


def high_activation_box(activation: np.ndarray, percentile: float = 95) -> Box:
    """Bounding box of the pixels at or above a percentile of an upsampled map (section 2.3).

    Args:
        activation: Similarity of every pixel (height, width).
        percentile: Share of the pixels below the threshold, in percent.
    """
    return _around(_marked(activation, percentile))


def peak_box(activation: np.ndarray, percentile: float = 95) -> Box:
    """Bounding box of those pixels that are connected with the highest one.

    A map with two peaks far apart gets the box of the higher one, where
    :func:`high_activation_box` puts one rectangle around both and all that lies between.

    Args:
        activation: Similarity of every pixel (height, width).
        percentile: Share of the pixels below the threshold, in percent.
    """
    _, regions = cv2.connectedComponents(_marked(activation, percentile).astype(np.uint8))
    return _around(regions == regions.flat[activation.argmax()])


def _marked(activation: np.ndarray, percentile: float) -> np.ndarray:
    threshold, least = np.percentile(activation, percentile), activation.min()
    # Where fewer pixels than that stand out at all, the box is around those.
    few = threshold == least < activation.max()
    return activation > least if few else activation >= threshold


def _around(marked: np.ndarray) -> Box:
    rows, columns = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
    return Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
