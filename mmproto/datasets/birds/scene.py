"""Puts a bird in a place: background, perch, something in front, light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from .backdrop import draw_backdrop, draw_leaf, draw_twig
from .drawing import Pose, draw_bird
from .species import Species

FILL = (0.6, 0.84)  # the bird's longer side, as a share of the image's
OVERSAMPLING = 3


@dataclass(frozen=True)
class Scene:
    """A finished picture of a bird.

    Attributes:
        image: RGB, square.
        mask: L, 255 where the bird shows, 0 elsewhere.
        parts: Name of a part in sight to its pixel (x, y), which lies on the mask.
    """

    image: Image.Image
    mask: Image.Image
    parts: dict[str, tuple[int, int]]

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x, y, width and height of the tightest box around the mask."""
        left, top, right, bottom = self.mask.getbbox()
        return left, top, right - left, bottom - top


def draw_scene(bird: Species, size: int, rng: np.random.Generator) -> Scene:
    """Draws a species as it might be met: any pose, place, background and light.

    Args:
        bird: The species.
        size: The side of the picture in pixels.
        rng: Where all that varies comes from.
    """
    pose = Pose.sample(rng)
    sprite = draw_bird(bird, pose, OVERSAMPLING * size * FILL[1] / 2.5)
    shrink = rng.uniform(*FILL) * size / max(sprite.image.size)
    shape = [round(side * shrink) for side in sprite.image.size]
    corner = tuple(int(rng.integers(1, size - side)) for side in shape)

    feet = sprite.feet * shrink + corner
    picture = draw_backdrop(size, feet, rng)
    layer = Image.new('RGBA', (size, size))
    layer.paste(sprite.image.resize(shape, Image.Resampling.LANCZOS), corner)
    silhouette = layer.getchannel('A')
    picture.paste(_rounded(layer, silhouette, rng), mask=silhouette)

    cover = _cover(size, np.array(corner) + np.array(shape) / 2, max(shape), rng)
    picture.paste(cover, mask=cover.getchannel('A'))
    seen = ImageChops.multiply(silhouette, ImageChops.invert(cover.getchannel('A')))
    mask = seen.point(lambda alpha: 255 if alpha > 127 else 0)

    pixels = {
        name: tuple(int(v) for v in point * shrink + corner) for name, point in sprite.parts.items()
    }
    parts = {name: pixel for name, pixel in pixels.items() if mask.getpixel(pixel)}
    return Scene(_lit(picture, rng), mask, parts)


def _rounded(layer: Image.Image, silhouette: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the bird, shaded as if its outline were that of something round lit from above."""
    size = layer.width
    height = np.asarray(silhouette.filter(ImageFilter.GaussianBlur(size / 24)), np.float32) / 255
    down, right = np.gradient(height)
    slope = (down + rng.uniform(-0.7, 0.7) * right) * size / 12
    shade = 1 + np.clip(slope, -0.4, 0.25)[..., None]
    colour = np.asarray(layer.convert('RGB'), np.float32) * shade
    return Image.fromarray(np.clip(colour, 0, 255).astype(np.uint8))


def _cover(size: int, centre, reach: float, rng: np.random.Generator) -> Image.Image:
    """Hide some of the bird in two pictures of five: RGBA, a leaf or a twig or nothing."""
    layer = Image.new('RGBA', (OVERSAMPLING * size,) * 2, (70, 90, 50, 0))
    if rng.random() < 0.4:
        draw = ImageDraw.Draw(layer)
        angle = rng.uniform(0, 2 * np.pi)
        spot = centre + rng.uniform(0.05, 0.42) * reach * np.array([np.cos(angle), np.sin(angle)])
        across = rng.uniform(0, 2 * np.pi)
        if rng.random() < 0.6:
            draw_leaf(draw, OVERSAMPLING * spot, OVERSAMPLING * reach * 0.26, across, rng)
        else:
            draw_twig(draw, OVERSAMPLING * spot, OVERSAMPLING * size * 0.022, across, rng)
    return layer.resize((size, size), Image.Resampling.LANCZOS)


def _lit(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the picture under some light: brightness, cast, a darker side and a vignette."""
    axis = np.linspace(-1, 1, picture.width, dtype=np.float32)
    x, y = axis[None, :, None], axis[:, None, None]
    cast = rng.uniform(0.8, 1.15) * (1 + rng.uniform(-0.06, 0.06, 3))
    shade = 1 + rng.uniform(-0.12, 0.12) * x + rng.uniform(-0.1, 0.06) * y
    vignette = 1 - rng.uniform(0, 0.14) * (x**2 + y**2)
    grain = rng.normal(0, rng.uniform(1, 4), (picture.height, picture.width, 1))
    lit = np.asarray(picture, np.float32) * (shade * vignette * cast) + grain
    return Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))
