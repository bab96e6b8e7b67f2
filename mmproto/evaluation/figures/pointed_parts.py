"""Which parts of a bird the boxes of an explanation point at, and which they would by chance."""

import numpy as np

from mmproto.datasets.interventions import Interventions
from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.measures.chance_maps import moved_boxes
from mmproto.evaluation.measures.part_areas import important_parts

# Of a part that the boxes have to cover. FunnyBirds takes the one of 80 shares by which the
# figures are best on the very images that they are figures of.
SHARE = 0.5


def pointed_at(changed: Interventions, boxes: np.ndarray, parts: int) -> np.ndarray:
    """Return which parts (parts,) boxes (p, 4) cover more than half of."""
    chosen = np.ones((1, len(boxes)), bool)
    return important_parts(changed.part_mask[None], boxes[None], chosen, parts, SHARE)[0]


def elsewhere(image: ExplainedImage, boxes: np.ndarray, label: int) -> np.ndarray:
    """Return a class's boxes (p, 4) at places that the image's number and the class give."""
    return moved_boxes(boxes, image.size, np.random.default_rng([image.number, label]))
