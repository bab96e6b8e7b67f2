"""Puts a bird in a place: background, perch, something in front, light."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from .backdrop import draw_backdrop, draw_leaf, draw_twig
from .drawing import Pose, draw_bird
from .light import light_bird, light_picture
from .placement import FILL, Placement
from .species import VARIANTS, Species

BACKGROUND = len(VARIANTS) + 1  # in a part mask
OVERSAMPLING = 3


@dataclass(frozen=True)
class Scene:
    """A finished picture of a bird.

    Attributes:
        image: RGB, square.
        mask: L, 255 where the bird shows, 0 elsewhere.
        part_mask: L; the part in sight at each pixel, 1 to 6 in the order of `VARIANTS`, 0 for the
            rest of the bird and for what is in front of it, `BACKGROUND` for what is behind.
        parts: Name of a part in sight to its pixel (x, y), which lies on the mask.
    """

    image: Image.Image
    mask: Image.Image
    part_mask: Image.Image
    parts: dict[str, tuple[int, int]]

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x, y, width and height of the tightest box around the mask."""
        left, top, right, bottom = self.mask.getbbox()
        return left, top, right - left, bottom - top


def draw_scene(
    bird: Species,
    size: int,
    rng: np.random.Generator,
    without: Collection[str] = (),
    swapped: Mapping[str, str] | None = None,
    background: int | np.random.Generator | None = None,
) -> Scene:
    """Draws a species as it might be met: any pose, place, background and light.

    The last three arguments change the picture that the same `rng` gives without them, and nothing
    else of it: pose, place, light and grain stay, and so does every pixel in which the part has no
    share. So a bird without feet hovers, and one with other feet may stand above its perch.

    Args:
        bird: The species.
        size: The side of the picture in pixels.
        rng: Where all that varies comes from.
        without: Parts, as the fields of `Species`, that the bird lacks; what they hid is seen.
        swapped: Part to the variant, one of `VARIANTS`, in place of the species' own.
        background: What another background is drawn from; what is in front of the bird stays.
    """
    swapped = swapped or {}
    for part in {*without, *swapped} - {*VARIANTS}:
        raise ValueError(f'{part} is no part of a bird; they are {", ".join(VARIANTS)}')
    pose, unit = Pose.sample(rng), OVERSAMPLING * size * FILL[1] / 2.5
    sprite = draw_bird(bird, pose, unit)
    place = Placement.sample(sprite.box, size, rng)

    feet = place.pixel(sprite.feet)
    picture = draw_backdrop(size, feet, rng)
    if background is not None:
        picture = draw_backdrop(size, feet, np.random.default_rng(background))
    side = rng.uniform(-0.7, 0.7)
    layer, numbers = light_bird(place.lay(sprite.image), side), place.lay_numbers(sprite.numbers)
    if without or swapped:
        plain, sprite = sprite, draw_bird(replace(bird, **swapped), pose, unit, without)
        before, after = (place.lay_beyond(one.canvas) for one in (plain, sprite))
        # Only these pixels are exchanged: shaded anew, the rest would differ by a little.
        changed = Image.fromarray((np.asarray(before) != np.asarray(after)).any(axis=-1))
        layer = Image.composite(light_bird(after, side), layer, changed)
        numbers = Image.composite(place.lay_numbers(sprite.numbers), numbers, changed)
    silhouette = layer.getchannel('A')
    picture.paste(layer, mask=silhouette)

    cover = _cover(size, place.centre, max(place.shape), rng)
    picture.paste(cover, mask=cover.getchannel('A'))
    seen = ImageChops.multiply(silhouette, ImageChops.invert(cover.getchannel('A')))
    mask = seen.point(lambda alpha: 255 if alpha > 127 else 0)
    behind = ImageChops.lighter(silhouette, cover.getchannel('A')).point(lambda a: 255 * (a < 128))
    part_mask = ImageChops.multiply(numbers, mask)
    part_mask.paste(BACKGROUND, mask=behind)

    moved = sprite.box[:2] - place.box[:2]  # another part may have made it a larger bird
    located = {name: place.pixel(point + moved) for name, point in sprite.parts.items()}
    pixels = {name: tuple(map(int, pixel)) for name, pixel in located.items()}
    parts = {name: pixel for name, pixel in pixels.items() if mask.getpixel(pixel)}
    return Scene(light_picture(picture, rng), mask, part_mask, parts)


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
