"""Receptive fields of the cells of a feature map, by the arithmetic of convolutions."""

from dataclasses import dataclass

from mmproto.functional.box import Box


@dataclass(frozen=True)
class ReceptiveField:
    """The pixels that the cells of a feature map see, the same along both axes.

    Attributes:
        jump: Distance between the centres of neighbouring cells, in pixels.
        size: Side of the square that a cell sees, in pixels.
        start: Centre of the first cell, in pixels.
    """

    jump: float = 1
    size: float = 1
    start: float = 0.5

    def through(self, kernel: int, stride: int = 1, padding: int = 0) -> 'ReceptiveField':
        """Return the field after one more convolution or pooling layer."""
        return ReceptiveField(
            jump=self.jump * stride,
            size=self.size + (kernel - 1) * self.jump,
            start=self.start + ((kernel - 1) / 2 - padding) * self.jump,
        )

    def box(
        self,
        cell: tuple[int, int],
        image_size: tuple[int, int],
        patch_size: tuple[int, int] = (1, 1),
    ) -> Box:
        """Return the box that a patch sees of an image: the union of what its cells see.

        Args:
            cell: Row and column of the patch's first cell.
            image_size: Height and width of the image, which the box does not leave.
            patch_size: Height and width of the patch, in cells.
        """
        box = []
        for first, cells, side in zip(cell, patch_size, image_size, strict=True):
            centre = self.start + first * self.jump
            box += [
                max(int(centre - self.size / 2), 0),
                min(int(centre + (cells - 1) * self.jump + self.size / 2), side),
            ]
        return Box(*box)
