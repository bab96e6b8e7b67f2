"""A canvas in bird units: smooth outlines, joints that turn, marks kept inside an outline.

Points are float arrays (N, 2) of x and y, y down. Everything is drawn without antialiasing on a
canvas a few times too large; shrinking it makes the edges smooth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

# Points of a Catmull-Rom segment, and the weights of its four knots there.
_T = np.arange(8)[:, None] / 8
_WEIGHTS = 0.5 * np.hstack(
    [-_T + 2 * _T**2 - _T**3, 2 - 5 * _T**2 + 3 * _T**3, _T + 4 * _T**2 - 3 * _T**3, _T**3 - _T**2]
)

HALF = 128  # of the 255 of a mask; half a shadow's strength rounds up to it


def smooth(knots, closed: bool = True) -> np.ndarray:
    """Return a Catmull-Rom curve through the knots (K, 2).

    Returns:
        (8 K, 2) for a closed outline, (8 (K - 1) + 1, 2) for an open line.
    """
    knots = np.asarray(knots, float)
    if closed:
        padded = np.vstack([knots[-1:], knots, knots[:2]])
    else:
        padded = np.vstack([knots[:1], knots, knots[-1:]])
    quads = np.stack([padded[k : len(padded) - 3 + k] for k in range(4)], axis=1)
    curve = np.einsum('tk,skd->std', _WEIGHTS, quads).reshape(-1, 2)
    return curve if closed else np.vstack([curve, knots[-1:]])


def ellipse(x: float, y: float, rx: float, ry: float | None = None, angle: float = 0) -> np.ndarray:
    """Outline (32, 2) an ellipse turned by degrees; a circle where `ry` is left out."""
    t = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    points = np.stack([rx * np.cos(t), (rx if ry is None else ry) * np.sin(t)], axis=1)
    return points @ rotation(angle).T + (x, y)


def rotation(angle: float) -> np.ndarray:
    """Return the matrix (2, 2) that turns by degrees, clockwise to the eye since y points down."""
    a = np.deg2rad(angle)
    return np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])


def darker(colour, factor: float = 0.55) -> tuple[int, ...]:
    """Return the colour times a factor, for edges and shadows."""
    return tuple(int(channel * factor) for channel in colour)


def flat(points: np.ndarray) -> list[float]:
    """Points (N, 2) as Pillow takes them: x, y, x, y..."""
    return points.ravel().tolist()


@dataclass(frozen=True)
class Canvas:
    """An RGBA image and where bird units fall on it.

    Attributes:
        image: The picture drawn on; canvases made from this one share it.
        numbers: L, as large: the number of what is in sight at each pixel; shared likewise.
        matrix: (2, 2), bird units to pixels.
        origin: (2,), the pixel of the point (0, 0).
        number: What is drawn with this canvas.
    """

    image: Image.Image
    numbers: Image.Image
    matrix: np.ndarray
    origin: np.ndarray
    number: int = 0

    def turned(self, angle: float, joint) -> Canvas:
        """Return the same picture with everything drawn turned by degrees about a joint (2,)."""
        matrix = self.matrix @ rotation(angle)
        joint = np.asarray(joint, float)
        return replace(self, matrix=matrix, origin=self.at(joint) - matrix @ joint)

    def moved(self, origin) -> Canvas:
        """Return the same picture with (0, 0) where the point `origin` (2,) was."""
        return replace(self, origin=self.at(origin))

    def numbered(self, number: int) -> Canvas:
        """Return the same picture with a number for what is drawn from now on."""
        return replace(self, number=number)

    def at(self, points) -> np.ndarray:
        """Return the pixels of points (..., 2)."""
        return np.asarray(points, float) @ self.matrix.T + self.origin

    def pixels(self, length: float) -> int:
        """Return a length in bird units as whole pixels, at least 1."""
        return max(1, round(length * float(np.hypot(*self.matrix[:, 0]))))

    def fill(self, outline, colour, edge: float = 0.0) -> None:
        """Fill an outline; an edge of that width, in the colour's shade, is put under it."""
        if edge:
            self.line(np.vstack([outline, outline[:2]]), darker(colour), 2 * edge)
        for draw, paint in self._paints(colour):
            draw.polygon(flat(self.at(outline)), paint)

    def line(self, points, colour, width: float) -> None:
        """Draws a line with round joints and ends."""
        path, thick = self.at(points), self.pixels(width)
        for draw, paint in self._paints(colour):
            draw.line(flat(path), paint, thick, joint='curve')
            for end in path[[0, -1]]:
                draw.ellipse((*(end - thick / 2), *(end + thick / 2)), paint)

    def mark(self, inside, shapes, colour, soft: float = 0.0, strength: float = 1.0) -> None:
        """Paints shapes where they lie within the outline `inside`.

        They are what is in sight where they cover more than half; a shadow is not.

        Args:
            inside: The outline (N, 2) that nothing crosses.
            shapes: A list of outlines.
            colour: RGB.
            soft: How far the shapes' edges blur, in bird units.
            strength: 1 covers, less lets the colour below show.
        """
        frame = self.at(inside)
        left, top = np.floor(frame.min(0)).astype(int)
        right, bottom = np.ceil(frame.max(0)).astype(int) + 1
        clip = Image.new('L', (int(right - left), int(bottom - top)))
        paint = clip.copy()
        ImageDraw.Draw(clip).polygon(flat(frame - (left, top)), round(255 * strength))
        draw = ImageDraw.Draw(paint)
        for shape in shapes:
            draw.polygon(flat(self.at(shape) - (left, top)), 255)
        if soft:
            paint = paint.filter(ImageFilter.BoxBlur(self.pixels(soft)))
        mask = ImageChops.multiply(clip, paint)
        corner = (int(left), int(top))
        self.image.paste((*colour, 255), corner, mask)
        self.numbers.paste(self.number, corner, mask.point(lambda cover: 255 * (cover > HALF)))

    def _paints(self, colour):
        """Return what draws on the picture and on the numbers, each with its colour."""
        return (
            (ImageDraw.Draw(self.image), (*colour, 255)),
            (ImageDraw.Draw(self.numbers), self.number),
        )
