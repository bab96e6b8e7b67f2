"""The one order of the four ends of a box, and the box of a patch's cells."""

from collections.abc import Sequence
from typing import NamedTuple


class Box(NamedTuple):
    """A part of an image in whole pixels; ``bottom`` and ``right`` are not inside."""

    top: int
    bottom: int
    left: int
    right: int


def cells_box(
    first: Sequence[int],
    map_size: Sequence[int],
    image_size: Sequence[int],
    patch_size: Sequence[int] = (1, 1),
) -> Box:
    """Return the pixels of a patch's cells, where the cells of a map divide the image evenly.

    Args:
        first: Row and column of the patch's first cell.
        map_size: Height and width of the feature map, in cells.
        image_size: Height and width of the image, in pixels.
        patch_size: Height and width of the patch, in cells.
    """
    box = []
    for start, cells, pixels, extent in zip(first, map_size, image_size, patch_size, strict=True):
        box += [start * pixels // cells, (start + extent) * pixels // cells]
    return Box(*box)
