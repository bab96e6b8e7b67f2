"""Which part of a map counts as shown.

After QuanProto (Schlinge et al., Comprehensive evaluation of prototype neural networks, 2025) and
Sacha et al. (Interpretability benchmark for evaluating spatial misalignment of prototypical parts
explanations, AAAI 2024). Each map has its own threshold. QuanProto's output completeness gives the
changed maps of a batch a common one instead, so that even a map that stays seems to change.
"""

import numpy as np


def highest(maps: np.ndarray, percentile: float) -> np.ndarray:
    """Return what is above a percentile of a map.

    Args:
        maps: Maps (..., H, W).
        percentile: Share of the pixels at or below the threshold, in percent. QuanProto shows
            what is above 95, Sacha et al. (2024) what is above 90.

    Returns:
        Regions (..., H, W), bool. They are smaller than that share where many pixels have the
        value of the threshold; nothing of a flat map is shown.
    """
    # A threshold between two values may be rounded to the upper one; the lower one says the same.
    lower = np.percentile(maps, percentile, axis=(-2, -1), keepdims=True, method='lower')
    return maps > lower


def upper_half(maps: np.ndarray) -> np.ndarray:
    """Return what is nearer to the highest value of a map than to its lowest one.

    This is QuanProto's activated region: above 0.5 when the map is scaled to [0, 1].

    Args:
        maps: Maps (..., H, W).

    Returns:
        Regions (..., H, W), bool; nothing of a flat map is shown.
    """
    least = maps.min(axis=(-2, -1), keepdims=True)
    return maps - least > np.ptp(maps, axis=(-2, -1), keepdims=True) / 2
