"""Whether boxes hold the parts that a data set has annotated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmproto.evaluation.measures.part_hits import inside
from mmproto.functional import Box


@dataclass(frozen=True)
class PartAgreement:
    """Whether prototypes look at what they should, where part locations tell.

    Of every test image the ten highest-scoring prototypes are asked.

    Attributes:
        images: How many test images.
        on_object: Share of their boxes that lie on the object: a visible part is inside.
        on_same_part: Share of their boxes that hold a part that the prototype's own training
            patch holds, out of the prototypes whose patch holds one.
        chance_on_object: Share of the same boxes that hold a part of another test image.
        chance_on_same_part: Share of the same boxes that hold the prototype's part of another
            test image.
    """

    images: int
    on_object: float
    on_same_part: float
    chance_on_object: float
    chance_on_same_part: float


def part_agreement(
    boxes: Mapping[tuple[int, int], Box],
    parts: Sequence[np.ndarray],
    own_parts: Mapping[int, np.ndarray],
) -> PartAgreement:
    """How many boxes of the highest-scoring prototypes hold the parts that they should.

    ``on_object`` is the share of all boxes that hold at least one visible part. Parts are points: a
    box between two of them may lie on the object and hold none.

    ``on_same_part`` leaves out the prototypes whose own training patch holds no visible part; of
    the boxes that remain it is the share that hold at least one of the parts in the training patch,
    visible on the test image as well. A part that is hidden on the test image counts against the
    box.

    ``chance_on_object`` and ``chance_on_same_part`` are the same of the same boxes, each laid on
    the test image that comes half the data set later: what size and place alone bring about.

    Args:
        boxes: The boxes, by test image and prototype.
        parts: Where the parts of every test image are (num_parts, 2), NaN for hidden ones.
        own_parts: Which visible parts the training patch of a prototype holds (num_parts,), by the
            prototypes whose training patch is known.

    Returns:
        The shares; NaN where there is no box to ask.
    """
    images = len(parts)

    def shares(shift: int) -> tuple[float, float]:
        on_object, on_same_part = [], []
        for (image, prototype), box in boxes.items():
            in_box = inside(parts[(image + shift) % images], box)
            on_object.append(bool(in_box.any()))
            own = own_parts.get(prototype)
            if own is not None and own.any():
                on_same_part.append(bool((in_box & own).any()))
        return _share(on_object), _share(on_same_part)

    return PartAgreement(images, *shares(0), *shares(images // 2))


def _share(answers: list[bool]) -> float:
    return float(np.mean(answers)) if answers else float('nan')
