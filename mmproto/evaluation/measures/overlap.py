"""How far a shown region lies on an object: overlaps of two sets of pixels.

After QuanProto (Schlinge et al., Comprehensive evaluation of prototype neural networks, 2025, its
"complexity"), which shows what is highest in a map of the size of the input:
``highest(upsample(map, size), 95)`` of :mod:`mmproto.evaluation.measures.shown_region` and
:func:`mmproto.explanation.high_activation.upsample`, of the 5 prototypes that score highest on the
image. A box is a region too, True inside it. QuanProto gives 0 wherever a set that it divides by is
empty, so that a map that shows nothing has the best background overlap there is.
"""

import numpy as np


def iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union (Jaccard index).

    Boxes that are apart have 0, where QuanProto's VLC of boxes multiplies two negative sides.

    Args:
        first: Regions (..., H, W), bool.
        second: Regions (..., H, W), bool; the leading dimensions are broadcast.

    Returns:
        Values (...), from 0 to 1; 1 for two empty regions, which are the same.
    """
    return _share(first & second, first | second, of_nothing=1)


def object_overlap(shown: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Which share of the object is shown.

    Args:
        shown: What is shown (..., H, W), bool.
        mask: The object (..., H, W), bool; the leading dimensions are broadcast.

    Returns:
        Shares (...), from 0 to 1; NaN where there is no object.
    """
    return _share(shown & mask, mask, of_nothing=np.nan)


def background_overlap(shown: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Which share of what is shown is not the object.

    Args:
        shown: What is shown (..., H, W), bool.
        mask: The object (..., H, W), bool; the leading dimensions are broadcast.

    Returns:
        Shares (...), from 0 to 1; NaN where nothing is shown.
    """
    return _share(shown & ~mask, shown, of_nothing=np.nan)


def _share(part: np.ndarray, whole: np.ndarray, of_nothing: float) -> np.ndarray:
    parts, wholes = np.broadcast_arrays(part.sum(axis=(-2, -1)), whole.sum(axis=(-2, -1)))
    return np.divide(parts, wholes, out=np.full(parts.shape, of_nothing, float), where=wholes > 0)
