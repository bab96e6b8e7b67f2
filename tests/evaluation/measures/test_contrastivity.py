import numpy as np
import pytest

from mmproto.evaluation.measures.continuity import peak_shift, region_change
from mmproto.evaluation.measures.contrastivity import (
    between_classes,
    between_pairs,
    vector_distance,
)
from mmproto.evaluation.measures.shown_region import highest, upper_half
from tests.evaluation.measures.golden_quanproto import (
    BASE,
    CENTRE,
    MAPS,
    TOP,
    batch_mean,
    golden,
    in_input,
)

PROTOTYPES = BASE['prototype']


def cosine_distance(one, other):
    one, other = one.astype(float), other.astype(float)
    return 1 - one @ other / np.linalg.norm(one) / np.linalg.norm(other)


def test_pairs_differ_as_in_quanproto():
    found = {
        'PLC': between_pairs(peak_shift, MAPS),
        'PALC': between_pairs(region_change, upper_half(MAPS)) * 100,
        'VLC': between_pairs(region_change, highest(in_input(MAPS), 95)) * 100,
        'Intra PD': between_pairs(vector_distance, PROTOTYPES[TOP]),
    }
    for name, values in found.items():
        assert values.shape == (240,)
        assert batch_mean(values) == pytest.approx(golden(f'contrastivity|{name}'), rel=1e-6)


def test_classes_differ_as_in_quanproto():
    distance = between_classes(PROTOTYPES[TOP], BASE['label'])
    assert distance.mean() == pytest.approx(golden('contrastivity|Inter PD'), abs=1e-6)


def test_a_map_that_is_always_the_same_tells_nothing_apart():
    assert not between_pairs(peak_shift, CENTRE).any()
    assert not between_pairs(region_change, upper_half(CENTRE)).any()
    # All scores are the same: the highest five happened to be the last.
    five = np.tile(PROTOTYPES[55:], (240, 1, 1))
    intra, inter = (
        golden(f'contrastivity|{name} PD', 'values_centre') for name in ('Intra', 'Inter')
    )
    assert between_pairs(vector_distance, five) == pytest.approx(intra, abs=1e-6)
    assert between_classes(five, BASE['label']) == pytest.approx(inter, abs=1e-6)


def test_pairs_agree_with_a_plain_loop():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(4, 3, 6))
    for of_image, found in zip(vectors, between_pairs(vector_distance, vectors)):
        each = [cosine_distance(of_image[i], of_image[j]) for i, j in [(0, 1), (0, 2), (1, 2)]]
        assert found == pytest.approx(np.mean(each))


def test_classes_agree_with_a_plain_loop():
    """One class has one image, another three; the labels have a gap."""
    rng = np.random.default_rng(0)
    vectors, labels = rng.normal(size=(6, 2, 5)), np.array([7, 0, 3, 3, 0, 3])
    found = between_classes(vectors, labels)
    for i in range(6):
        each = [
            cosine_distance(vectors[i, rank], vectors[j, rank])
            for j in range(6)
            if labels[j] != labels[i]
            for rank in range(2)
        ]
        assert found[i] == pytest.approx(np.mean(each))


def test_one_class_has_no_other():
    assert np.isnan(between_classes(PROTOTYPES[TOP[:3]], np.zeros(3, int))).all()


def test_the_same_prototype_twice_is_at_no_distance():
    twice = np.repeat(PROTOTYPES[:1], 2, axis=0)[None]
    assert between_pairs(vector_distance, twice) == 0
    assert between_pairs(vector_distance, np.array([[[1.0, 0], [-2, 0]]])) == pytest.approx(2)
