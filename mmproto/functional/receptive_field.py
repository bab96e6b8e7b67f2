"""Receptive fields of the cells of a feature map, by the arithmetic of convolutions."""

from dataclasses import dataclass

from .box import Box


@dataclass(frozen=True)
class ReceptiveField:
    """The pixels that the cells of a square feature map see.

    Attributes:
        cells: Number of cells along a side of the map.
        jump: Distance between the centres of neighbouring cells, in pixels.
        size: Side of the square that a cell sees, in pixels.
        start: Centre of the first cell, in pixels.
    """

    cells: int
    jump: float = 1
    size: float = 1
    start: float = 0.5

    def through(self, kernel: int, stride: int = 1, padding: int = 0) -> 'ReceptiveField':
        """The field after one more convolution or pooling layer."""
        return ReceptiveField(
            cells=(self.cells - kernel + 2 * padding) // stride + 1,
            jump=self.jump * stride,
            size=self.size + (kernel - 1) * self.jump,
            start=self.start + ((kernel - 1) / 2 - padding) * self.jump,
        )

    def box(self, cell: tuple[int, int], image_size: tuple[int, int]) -> Box:
        """The box that the cell (row, column) sees of an image (height, width)."""
        box = []
        for index, side in zip(cell, image_size, strict=False):
            centre = self.start + index * self.jump
            box += [
                max(int(centre - self.size / 2), 0),
                min(int(centre + self.size / 2), side),
            ]
        return tuple(box)
