"""What light does to a bird and to a picture."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter


def light_bird(layer: Image.Image, side: float) -> Image.Image:
    """Shades a bird as if its outline were that of something round lit from above.

    Args:
        layer: RGBA, the bird on nothing.
        side: How much of the light comes from the left; below 0, from the right.
    """
    size, silhouette = layer.width, layer.getchannel('A')
    height = np.asarray(silhouette.filter(ImageFilter.GaussianBlur(size / 24)), np.float32) / 255
    down, right = np.gradient(height)
    slope = (down + side * right) * size / 12
    shade = 1 + np.clip(slope, -0.4, 0.25)[..., None]
    colour = np.asarray(layer.convert('RGB'), np.float32) * shade
    lit = Image.fromarray(np.clip(colour, 0, 255).astype(np.uint8))
    lit.putalpha(silhouette)
    return lit


def light_picture(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the picture under some light: brightness, cast, a darker side and a vignette."""
    axis = np.linspace(-1, 1, picture.width, dtype=np.float32)
    x, y = axis[None, :, None], axis[:, None, None]
    cast = rng.uniform(0.8, 1.15) * (1 + rng.uniform(-0.06, 0.06, 3))
    shade = 1 + rng.uniform(-0.12, 0.12) * x + rng.uniform(-0.1, 0.06) * y
    vignette = 1 - rng.uniform(0, 0.14) * (x**2 + y**2)
    grain = rng.normal(0, rng.uniform(1, 4), (picture.height, picture.width, 1))
    lit = np.asarray(picture, np.float32) * (shade * vignette * cast) + grain
    return Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))
