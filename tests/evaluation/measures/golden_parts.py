"""The parts, boxes and chance maps that the golden figures of parts share."""

import numpy as np

from mmproto.evaluation.measures.part_hits import boxes_around, inside, own_class_pairs, peaks
from mmproto.explanation.high_activation import upsample
from tests.evaluation.measures.golden import golden_metrics

SIZE = (224, 224)
BASE = golden_metrics('base')
IMAGE, PROTOTYPE = own_class_pairs(BASE['label'], BASE['prototype_class'])
LABEL, SIMILARITY, PART_NAMES = BASE['label'], BASE['similarity'], BASE['part_names'].tolist()
VISIBLE = BASE['part_visible']


def random_draws():
    """Random maps of two passes, and then random scores: (N, P, H, W) twice, (N, P)."""
    rng = np.random.default_rng(0)
    first = rng.random(SIMILARITY.shape)
    state = rng.bit_generator.state
    second = rng.random(SIMILARITY.shape)
    rng.bit_generator.state = state
    return first.astype('f4'), second.astype('f4'), rng.random(SIMILARITY.shape[:2])


def parts_in_crops():
    """y and x of every part (N, num_parts, 2) in pixels of the crop at 224 x 224."""
    box = BASE['box'][:, None].astype(float)
    share = (BASE['part_xy'] - box[..., :2]) / (box[..., 2:] - box[..., :2])
    return np.where(VISIBLE[..., None], SIZE * share, np.nan)[..., ::-1]


def own_hits(maps, half_size=36):
    """Hits (M, num_parts) of maps (M, H, W) of the pairs of a prototype and its class's image."""
    found = peaks(upsample(one, SIZE) for one in maps)
    return inside(parts_in_crops()[IMAGE], boxes_around(found, half_size, SIZE))
