import json

import cv2
import numpy as np
import pytest

from mmproto.errors import InputError
from mmproto.evaluation.measures.quantus_localisation import quantus_localisation
from tests.evaluation.measures.golden import FOLDER, golden_metrics


def test_what_to_type_where_quantus_is_missing(monkeypatch):
    monkeypatch.setattr('mmproto.utils.extras.find_spec', lambda name: None)
    with pytest.raises(InputError, match=r'mmproto\[measures\]'):
        quantus_localisation(np.ones((1, 4, 6)), np.ones((1, 4, 6), bool))


@pytest.fixture(scope='module')
def golden():
    pytest.importorskip('quantus')
    return json.loads((FOLDER / 'quantus.json').read_text(encoding='utf-8'))


@pytest.fixture(scope='module')
def masks():
    """The object in the input of every image, once for each of 5 maps."""
    packed = golden_metrics('quanproto')['segmentation_input']
    whole = np.unpackbits(packed)[: 240 * 96 * 96].reshape(240, 96, 96) > 0
    return whole.repeat(5, axis=0)


def upsampled(similarity):
    """Maps (n, 96, 96) of maps (240, 5, 6, 6)."""
    maps = similarity.reshape(-1, 6, 6)
    return np.stack([cv2.resize(one, (96, 96), interpolation=cv2.INTER_CUBIC) for one in maps])


def means(maps, masks, names):
    values = quantus_localisation(maps, masks)
    return {name: values[name].mean() for name in names}


def test_maps_of_the_true_class(golden, masks):
    base = golden_metrics('base')
    own = np.flatnonzero(base['prototype_class'] == base['label'][:, None]) % 60
    similarity = base['similarity'][np.arange(240)[:, None], own.reshape(240, 5)]
    expected = golden['ours']
    assert means(upsampled(similarity), masks, expected) == pytest.approx(expected, abs=1e-6)


def from_middle():
    """Exp(-distance in cells), rounded to fp32 once: Quantus ranks pixels by the last digit."""
    y, x = np.mgrid[:6, :6] - 2.5
    return np.exp(-np.hypot(y, x)).astype(np.float32)


@pytest.mark.parametrize(
    ('name', 'similarity'),
    [
        ('random', np.random.default_rng(0).random((240, 5, 6, 6))[::4]),
        ('centre', np.broadcast_to(from_middle(), (60, 5, 6, 6))),
    ],
)
def test_maps_that_know_nothing_of_the_image(name, similarity, golden, masks):
    expected = golden[
        'every fourth image (300 maps), random = default_rng(0) maps (240,5,6,6), '
        'centre = exp(-distance)'
    ][name]
    every_fourth = masks.reshape(240, 5, 96, 96)[::4].reshape(-1, 96, 96)
    assert means(upsampled(similarity), every_fourth, expected) == pytest.approx(expected, abs=1e-6)


def test_each_map_stands_alone(golden, masks):
    maps = np.random.default_rng(0).random((6, 96, 96)) * np.logspace(-8, 8, 6)[:, None, None]
    together = quantus_localisation(maps, masks[::5][:6])
    alone = [quantus_localisation(maps[i : i + 3], masks[::5][i : i + 3]) for i in (0, 3)]
    for name, values in together.items():
        np.testing.assert_allclose(values, np.concatenate([part[name] for part in alone]))


def test_values_known_by_hand(golden):
    mask = np.zeros((10, 20), bool)
    mask[:5, :10] = True
    maps = np.stack([mask, ~mask, np.ones_like(mask), mask]).astype(np.float32)
    masks = np.stack([mask, mask, mask, np.zeros_like(mask)])
    values = quantus_localisation(maps, masks)
    assert [*values] == [*golden['ours']]
    for name in ('RelevanceMassAccuracy', 'AttributionLocalisation'):
        np.testing.assert_allclose(values[name], [1, 0, 0.25, np.nan], atol=1e-6)
    np.testing.assert_allclose(values['AUC'], [1, 0, 0.5, np.nan])
    np.testing.assert_array_equal(values['PointingGame'], [1, 0, 1, np.nan])
    for name in ('RelevanceRankAccuracy', 'TopKIntersection'):
        np.testing.assert_array_equal(values[name][[0, 1, 3]], [1, 0, np.nan])


def test_no_mask_at_all(golden):
    values = quantus_localisation(np.ones((2, 4, 6)), np.zeros((2, 4, 6), bool))
    assert all(np.isnan(one).all() for one in values.values())


def test_the_maps_stay_as_they_are(golden, masks):
    maps = np.random.default_rng(0).normal(size=(3, 96, 96))
    before = maps.copy()
    quantus_localisation(maps, masks[:3])
    np.testing.assert_array_equal(maps, before)
