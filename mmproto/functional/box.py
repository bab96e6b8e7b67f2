"""The one order of the four ends of a box."""

from typing import NamedTuple


class Box(NamedTuple):
    """A part of an image in whole pixels; ``bottom`` and ``right`` are not inside."""

    top: int
    bottom: int
    left: int
    right: int
