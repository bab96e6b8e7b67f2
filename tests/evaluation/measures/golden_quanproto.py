"""What QuanProto was given of the demo model, and what it made of it."""

import numpy as np

from mmproto.explanation.high_activation import upsample
from tests.evaluation.measures.golden import golden_metrics

BASE, QUANPROTO = golden_metrics('base'), golden_metrics('quanproto')
TOP = QUANPROTO['top5'].astype(int)
MAPS = BASE['similarity'][np.arange(len(TOP))[:, None], TOP]
AUGMENTED, NOISY = QUANPROTO['continuity_maps'], QUANPROTO['completeness_maps']
SCORES = BASE['similarity'].max(axis=(2, 3))
CENTRE = np.broadcast_to(-np.hypot(*np.mgrid[-2.5:3, -2.5:3]), MAPS.shape)


def golden(name, values='values'):
    """A value by 'technique|metric', as it is where regions are not made boxes of."""
    technique, metric = name.split('|')
    names = {f'{technique}|{metric}', f'{technique} bbox=False|{metric}'}
    return QUANPROTO[values][np.isin(QUANPROTO['value_names'], list(names))].item()


def batch_mean(values):
    """QuanProto's mean: over batches of 100, 100 and 40 images."""
    return np.mean([batch.mean() for batch in np.split(np.asarray(values, float), [100, 200])])


def segmentations():
    """The birds (240, 96, 96), bool."""
    shape = QUANPROTO['segmentation_shape']
    bits = np.unpackbits(QUANPROTO['segmentation_input'])[: np.prod(shape)]
    return bits.reshape(shape).astype(bool)


def in_input(maps):
    """Maps (N, k, 6, 6) upsampled to the input (N, k, 96, 96)."""
    return np.stack([[upsample(one, (96, 96)) for one in of_image] for of_image in maps])
