"""Maps of one range, whatever the similarity that they are made of."""

import numpy as np


def unit_range(maps: np.ndarray) -> np.ndarray:
    """Shift and scale each map so that its lowest value is 0 and its highest is 1.

    Args:
        maps: Maps (..., H, W).

    Returns:
        Maps (..., H, W) from 0 to 1; 0 everywhere where a map is constant.
    """
    least = maps.min(axis=(-2, -1), keepdims=True)
    spread = maps.max(axis=(-2, -1), keepdims=True) - least
    return (maps - least) / np.where(spread == 0, 1, spread)
