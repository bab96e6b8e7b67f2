"""The patch of an image that is nearest to a prototype, without and with the box around it."""

from dataclasses import dataclass, field

import numpy as np

from mmproto.explanation.high_activation import cell_centre, find_box, upsample
from mmproto.functional import Box
from mmproto.models import ProtoPNetHead

# In smaller maps three patches of four or more are on the border, which says nothing of them.
SMALLEST_WITH_INSIDE = 5


@dataclass(frozen=True)
class ImagePatch:
    """The patch of an image that is nearest to a prototype (the paper's global analysis).

    Attributes:
        split: 'train' for the push set, 'test' for the test set.
        image: Index of the image in that set.
        label: Class of the image.
        score: Score of the prototype on the image, which is that of the patch.
        location: Row and column of the patch in the feature map.
        box: The patch in the network's input.
        input_size: Height and width of that.
        place: Whether the patch is in a 'corner' of the feature map, on its 'border' or 'inside';
            '' for a map that has next to no inside.
    """

    split: str
    image: int
    label: int
    score: float
    location: tuple[int, int]
    box: Box
    input_size: tuple[int, int] = (1, 1)
    place: str = ''

    @property
    def box_in_fractions(self) -> tuple[float, float, float, float]:
        """The box as fractions of the network's input."""
        (height, width), box = self.input_size, self.box
        return box.top / height, box.bottom / height, box.left / width, box.right / width

    @property
    def box_share(self) -> float:
        """How much of the network's input the box covers."""
        top, bottom, left, right = self.box_in_fractions
        return (bottom - top) * (right - left)


@dataclass(frozen=True)
class LocatedMap:
    """A prototype's similarity map of an image, which is greatest at the patch.

    It is kept in place of an :class:`ImagePatch` until it is known that one is needed: the box
    takes longer to find than all the rest.

    Attributes:
        score: Score of the prototype on the image.
        location: Row and column of the patch in the feature map.
        similarity_map: Score of every patch of the image (H', W').
        input_size: Height and width of the network's input.
    """

    score: float
    location: tuple[int, int]
    similarity_map: np.ndarray = field(repr=False)
    input_size: tuple[int, int]

    def to_patch(self, head: ProtoPNetHead, split: str, image: int, label: int) -> ImagePatch:
        """Find the box, and say what image the patch is of."""
        point = cell_centre(self.location, self.similarity_map.shape, self.input_size)
        box = find_box(head, upsample(self.similarity_map, self.input_size), point)
        place = place_in(self.location, self.similarity_map.shape)
        return ImagePatch(
            split, image, label, self.score, self.location, box, self.input_size, place
        )


def place_in(location: tuple[int, int], size: tuple[int, ...]) -> str:
    """Return where in a map of that size a place is, see :class:`ImagePatch`."""
    if min(size) < SMALLEST_WITH_INSIDE:
        return ''
    edges = sum(at in (0, length - 1) for at, length in zip(location, size))
    return ('inside', 'border', 'corner')[edges]
