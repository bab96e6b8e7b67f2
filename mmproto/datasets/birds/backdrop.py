"""What is behind a bird: sky, leaves, grass or water, blurred clutter, and a perch."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .canvas import ellipse, flat, rotation, smooth

# Colour above, colour below, colours of the clutter.
PLACES = {
    'sky': ((150, 190, 228), (216, 228, 236), ((232, 238, 242), (196, 214, 232))),
    'leaves': ((84, 122, 66), (44, 72, 40), ((108, 148, 74), (58, 92, 44), (150, 172, 90))),
    'grass': ((170, 196, 140), (96, 132, 60), ((128, 158, 70), (78, 116, 52), (176, 176, 96))),
    'water': ((168, 198, 206), (72, 116, 142), ((124, 164, 182), (190, 212, 216), (70, 106, 126))),
}


def draw_backdrop(size: int, feet, rng: np.random.Generator) -> Image.Image:
    """Return an RGB picture (size, size) of a place, with a perch under the feet (2,) or none."""
    place = str(rng.choice(list(PLACES)))
    above, below, clutter = PLACES[place]
    height = np.linspace(0, 1, size)[:, None, None] + rng.uniform(-0.15, 0.15)
    ramp = (1 - height) * above + height * below + rng.normal(0, 8, 3)
    ramp = np.broadcast_to(np.clip(ramp, 0, 255), (size, size, 3)).astype(np.uint8)
    picture = Image.fromarray(ramp)
    for blur in (size / 24, size / 60):
        draw = ImageDraw.Draw(picture)
        for _ in range(rng.integers(5, 10)):
            colour = tuple(clutter[rng.integers(len(clutter))])
            DETAILS[place](draw, rng.uniform(0, size, 2), size, colour, rng)
        picture = picture.filter(ImageFilter.GaussianBlur(blur))
    if rng.random() < 0.5:
        _draw_growth(picture, size, rng)
    if rng.random() < 0.7:
        _draw_perch(picture, size, feet, rng)
    return picture


def draw_leaf(draw: ImageDraw.ImageDraw, centre, length: float, angle: float, rng) -> None:
    """Return a leaf with its midrib; angle in radians."""
    blade = np.array([(-0.5, 0), (-0.2, -0.2), (0.15, -0.18), (0.55, 0), (0.15, 0.18), (-0.2, 0.2)])
    green = rng.uniform((50, 90, 30), (130, 150, 70)).astype(int)
    turn = length * rotation(np.rad2deg(angle)).T
    draw.polygon(flat(smooth(blade) @ turn + centre), tuple(green))
    rib = np.array([(-0.65, 0), (0.45, 0)]) @ turn + centre
    draw.line(flat(rib), tuple((green * 0.65).astype(int)), max(1, round(length / 18)))


def draw_twig(draw: ImageDraw.ImageDraw, through, width: float, angle: float, rng) -> None:
    """Return a bent twig across the whole picture, through a point (2,); angle in radians."""
    brown = rng.uniform((70, 50, 36), (120, 92, 66)).astype(int)
    bend = np.array([(-60, 6), (-18, -1.5), (0, 0), (20, 2), (60, -5)]) * width
    path = smooth(bend @ rotation(np.rad2deg(angle)).T + through, closed=False)
    draw.line(flat(path), tuple((brown * 0.7).astype(int)), round(width * 1.4), joint='curve')
    draw.line(flat(path - (0, 0.12 * width)), tuple(brown), max(1, round(width)), joint='curve')


def _cloud(draw, spot, size, colour, rng) -> None:
    draw.polygon(flat(ellipse(*spot, *rng.uniform(0.04, 0.16, 2) * (2, 1) * size)), colour)


def _foliage(draw, spot, size, colour, rng) -> None:
    radii = rng.uniform(0.04, 0.13, 2) * size
    draw.polygon(flat(ellipse(*spot, *radii, rng.uniform(0, 180))), colour)


def _blade(draw, spot, size, colour, rng) -> None:
    tip = (rng.normal(0, 0.12), -rng.uniform(0.25, 0.6))
    draw.polygon(flat(np.array([(-0.02, 0.3), tip, (0.02, 0.3)]) * size + spot), colour)


def _ripple(draw, spot, size, colour, rng) -> None:
    draw.polygon(flat(ellipse(*spot, rng.uniform(0.1, 0.4) * size, 0.016 * size)), colour)


DETAILS = {'sky': _cloud, 'leaves': _foliage, 'grass': _blade, 'water': _ripple}


def _draw_growth(picture: Image.Image, size: int, rng: np.random.Generator) -> None:
    """Return a twig with leaves, a little out of focus, somewhere behind."""
    layer = Image.new('RGBA', (2 * size, 2 * size), (80, 100, 50, 0))
    draw = ImageDraw.Draw(layer)
    start, angle = rng.uniform(0, 2 * size, 2), rng.uniform(0, np.pi)
    draw_twig(draw, start, rng.uniform(0.015, 0.03) * size, angle, rng)
    for _ in range(rng.integers(2, 6)):
        offset = rng.uniform(-0.8, 0.8) * size * np.array([np.cos(angle), np.sin(angle)])
        draw_leaf(draw, start + offset, rng.uniform(0.2, 0.4) * size, rng.uniform(0, 7), rng)
    layer = layer.resize((size, size), Image.Resampling.BOX)
    layer = layer.filter(ImageFilter.GaussianBlur(rng.uniform(0.002, 0.01) * size))
    picture.paste(layer, mask=layer.getchannel('A'))


def _draw_perch(picture: Image.Image, size: int, feet, rng: np.random.Generator) -> None:
    layer = Image.new('RGBA', (2 * size, 2 * size), (90, 70, 50, 0))
    width = rng.uniform(0.06, 0.1) * size
    draw_twig(
        ImageDraw.Draw(layer),
        2 * np.asarray(feet) + (0, 0.6 * width),
        width,
        rng.uniform(-0.25, 0.25),
        rng,
    )
    layer = layer.resize((size, size), Image.Resampling.BOX)
    picture.paste(layer, mask=layer.getchannel('A'))
