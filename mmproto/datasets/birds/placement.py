"""Where in a picture a drawn bird is, and at what scale."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

FILL = (0.6, 0.84)  # the bird's longer side, as a share of the picture's


@dataclass(frozen=True)
class Placement:
    """How a drawn bird's canvas falls on a picture.

    Attributes:
        size: The side of the picture.
        box: left, top, right and bottom of the bird on its canvas.
        shrink: Pixels of the picture a pixel of the canvas.
        corner: (2,) ints: x and y of the box's corner in the picture.
    """

    size: int
    box: np.ndarray
    shrink: float
    corner: np.ndarray

    @classmethod
    def sample(cls, box, size: int, rng: np.random.Generator) -> Placement:
        """Return a place drawn at random for what is in a box of a canvas."""
        box = np.array(box)
        shrink = rng.uniform(*FILL) * size / max(box[2:] - box[:2])
        place = cls(size, box, shrink, np.zeros(2, int))
        return replace(place, corner=np.array([rng.integers(1, size - s) for s in place.shape]))

    @property
    def shape(self) -> np.ndarray:
        """Width and height (2,) of the box in the picture, in whole pixels."""
        return np.rint((self.box[2:] - self.box[:2]) * self.shrink).astype(int)

    @property
    def centre(self) -> np.ndarray:
        """X and y (2,) of the middle of the box in the picture."""
        return self.corner + self.shape / 2

    def pixel(self, point: np.ndarray) -> np.ndarray:
        """Return where in the picture a point (2,) is that is measured from the box's corner."""
        return point * self.shrink + self.corner

    def lay(self, cut: Image.Image) -> Image.Image:
        """Return a picture with what was cut out along the box, and nothing around it."""
        layer = Image.new(cut.mode, (self.size, self.size))
        layer.paste(cut.resize(tuple(self.shape), Image.Resampling.LANCZOS), tuple(self.corner))
        return layer

    def lay_beyond(self, canvas: Image.Image) -> Image.Image:
        """Return a picture with all of a canvas on the same pixels, the box ending nothing."""
        return self._resized(canvas, Image.Resampling.LANCZOS)

    def lay_numbers(self, canvas: Image.Image) -> Image.Image:
        """Return a picture with the values in the middle of each pixel, none mixed."""
        return self._resized(canvas, Image.Resampling.NEAREST)

    def _resized(self, canvas: Image.Image, resampling: Image.Resampling) -> Image.Image:
        scale = (self.box[2:] - self.box[:2]) / self.shape
        start = self.box[:2] - self.corner * scale
        end = start + self.size * scale
        low, high = np.floor(start).astype(int), np.ceil(end).astype(int)
        return canvas.crop((*low, *high)).resize(
            (self.size, self.size), resampling, box=(*(start - low), *(end - low))
        )
