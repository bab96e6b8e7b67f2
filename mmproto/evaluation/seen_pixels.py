"""Images as a person sees them, whatever order of channels a data set gives them in."""

from typing import Any

import numpy as np
import torch
from torch import Tensor


def as_seen(pixels: Tensor, preprocessor: Any) -> np.ndarray:
    """Return an image in red, green and blue (H, W, 3), or grey (H, W).

    Args:
        pixels: The image as the data set gives it, uint8 (C, H, W).
        preprocessor: The classifier's; what it turns round is in blue, green and red.
    """
    image = pixels.permute(1, 2, 0).numpy()
    if image.shape[2] == 1:
        return image[..., 0]
    return np.ascontiguousarray(image[..., :: _step(preprocessor)])


def as_given(image: np.ndarray, preprocessor: Any) -> Tensor:
    """Return what :func:`as_seen` makes an image of, in the data set's order of channels."""
    if image.ndim == 2:
        return torch.from_numpy(image.copy())[None]
    return torch.from_numpy(image[..., :: _step(preprocessor)].copy()).permute(2, 0, 1)


def _step(preprocessor: Any) -> int:
    return -1 if getattr(preprocessor, 'to_rgb', False) else 1
