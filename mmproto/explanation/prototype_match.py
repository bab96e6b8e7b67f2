from dataclasses import dataclass, field

import numpy as np

from mmproto.functional import Box


@dataclass(frozen=True)
class PrototypeMatch:
    """A prototype and the patch of an image that is nearest to it.

    Attributes:
        prototype: Number of the prototype.
        name: What a person calls it, '' if nobody has named it.
        prototype_class: The prototype's own class, -1 for none.
        score: Its score, the similarity of the patch.
        weight: Weight of the score in the logit that is explained.
        location: Row and column of the patch in the feature map.
        cell: The pixels of the network's input that the patch's cells lie on.
        box: The pixels of the network's input that matter most to the score.
        activation: How much every pixel of the network's input (H, W) matters to the score, from
            0 to 1; in half precision, since many are held at once.
    """

    prototype: int
    name: str
    prototype_class: int
    score: float
    weight: float
    location: tuple[int, int]
    cell: Box
    box: Box
    activation: np.ndarray = field(repr=False, compare=False)

    @property
    def points(self) -> float:
        """What the match adds to the logit."""
        return self.score * self.weight
