"""The 120 birds of the golden figures that were drawn again without parts."""

from types import SimpleNamespace

import numpy as np

from mmproto.explanation.high_activation import high_activation_box, upsample
from tests.evaluation.measures.golden import golden_metrics


def golden_birds():
    """Their arrays, and the maps and boxes of their own class's prototypes, the others' empty."""
    birds, base = golden_metrics('funnybirds'), golden_metrics('base')
    label, number = birds['items'].T
    similarity = base['similarity'].reshape(12, 20, 60, 6, 6)[label, number]
    own = base['prototype_class'] == label[:, None]
    boxes = np.zeros((*own.shape, 4), int)
    for image, prototype in np.argwhere(own):
        activation = upsample(similarity[image, prototype], (96, 96))
        boxes[image, prototype] = high_activation_box(activation)
    return SimpleNamespace(
        **{name: birds[name] for name in birds if name != 'values'},
        label=label,
        own=own,
        similarity=similarity,
        boxes=boxes,
        # The peers' boxes lack the last row and column.
        their_boxes=np.maximum(boxes - np.array([0, 1, 0, 1]), 0),
        weight=base['weight'][label],
    )
