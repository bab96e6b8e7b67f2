"""Images of any depth in 8 bits."""

import numpy as np


def to_8_bits(
    values: np.ndarray, least: float | None = None, greatest: float | None = None
) -> np.ndarray:
    """Stretches an image to the range of 8 bits: its least value is 0, its greatest 255.

    Args:
        values: (H, W) or (H, W, 3) whole numbers or floats, colours by one range over all of
            them; one that is not finite counts as the least.
        least: What is 0 instead of the image's own least value.
        greatest: What is 255 instead of its greatest.

    Returns:
        uint8 of the same shape; zeros if all values are the same.
    """
    values = values.astype(np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, np.uint8)
    least = values[finite].min() if least is None else least
    greatest = values[finite].max() if greatest is None else greatest
    scaled = (np.where(finite, values, least) - least) / max(greatest - least, np.finfo(float).tiny)
    return (scaled.clip(0, 1) * 255).round().astype(np.uint8)
