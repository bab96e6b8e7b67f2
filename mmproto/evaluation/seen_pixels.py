"""Images as a person sees them, whatever order of channels a data set gives them in."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor


def change_seen(
    pixels: Tensor, preprocessor: Any, change: Callable[[np.ndarray], np.ndarray]
) -> Tensor:
    """Change an image in red, green and blue, or grey.

    Args:
        pixels: The image as the data set gives it, uint8 (C, H, W).
        preprocessor: The classifier's; what it turns round is in blue, green and red.
        change: Gives another image uint8 (H, W, 3), or (H, W) of one channel.

    Returns:
        The changed image (C, H, W), in the data set's order of channels.
    """
    step = -1 if getattr(preprocessor, 'to_rgb', False) else 1
    image = pixels.permute(1, 2, 0).numpy()
    if image.shape[2] == 1:
        return torch.from_numpy(change(image[..., 0]).copy())[None]
    changed = change(np.ascontiguousarray(image[..., ::step]))
    return torch.from_numpy(changed[..., ::step].copy()).permute(2, 0, 1)
