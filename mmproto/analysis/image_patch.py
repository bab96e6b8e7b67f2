"""The patch of an image that is nearest to a prototype, without and with the box around it."""

from dataclasses import dataclass, field

import numpy as np

from mmproto.explanation.high_activation import find_box, upsample
from mmproto.functional import Box
from mmproto.models import ProtoPNetHead


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
    """

    split: str
    image: int
    label: int
    score: float
    location: tuple[int, int]
    box: Box


@dataclass(frozen=True)
class LocatedMap:
    """A prototype's similarity map of an image, which peaks at the patch.

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
        box = find_box(head, upsample(self.similarity_map, self.input_size))
        return ImagePatch(split, image, label, self.score, self.location, box)
