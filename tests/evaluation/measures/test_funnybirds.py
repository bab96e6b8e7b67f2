"""FunnyBirds' measures: the golden figures, and cases whose value is known by hand."""

import json
from dataclasses import astuple

import numpy as np
import pytest
from scipy.stats import spearmanr

from mmproto.datasets.birds import species
from mmproto.evaluation.measures.funnybirds import (
    background_independence,
    controlled_synthetic_data_check,
    deletion_check,
    distractibility,
    irrelevant,
    preservation_check,
    single_deletion,
    target_sensitivity,
)
from mmproto.evaluation.measures.part_areas import important_parts
from mmproto.evaluation.measures.part_sets import sufficient_sets
from tests.evaluation.measures.golden import golden_metrics
from tests.evaluation.measures.golden_birds import golden_birds

IMAGES = np.arange(120)


@pytest.fixture(scope='module')
def birds():
    return golden_birds()


def true_logits(birds):
    logit = birds.logits[IMAGES, birds.label]
    removed = birds.logits_removed[IMAGES, :, birds.label]
    return logit, removed, birds.logits_background[IMAGES, birds.label][:, None]


def important(birds, share, parts):
    """As the peers have it: a third of the threshold, on boxes without the last row and column."""
    return important_parts(birds.part_map, birds.their_boxes, birds.own, parts, share / 3)


# Golden figures


def test_single_deletion_is_the_golden_one(birds):
    logit, removed, _ = true_logits(birds)
    # Two importances of an image were stored 3e-5 of 321 apart, but were one number.
    importance = birds.importance.astype(np.float32).round(3)
    values = single_deletion(importance, logit[:, None] - removed)
    golden = json.loads(str(golden_metrics('funnybirds')['values']))
    assert values.mean() == pytest.approx(golden['ours']['SD'], abs=1e-6)
    drop = logit[:, None] - removed
    assert single_deletion(drop, drop).mean() == pytest.approx(golden['oracle SD'], abs=1e-12)


def test_background_independence_is_the_golden_one(birds):
    logit, _, background = true_logits(birds)
    golden = json.loads(str(golden_metrics('funnybirds')['values']))
    values = background_independence(logit, background)
    assert values.mean() == golden['background independence'] == 0.65


@pytest.mark.parametrize(('share', 'value'), [(0.01, 0.106), (0.5, 0.247)])
def test_distractibility_is_the_golden_one(birds, share, value):
    logit, removed, background = true_logits(birds)
    changed = np.hstack([removed, background])
    values = distractibility(important(birds, share, 7), logit, changed)
    assert values.mean() == pytest.approx(value, abs=5e-4)


@pytest.mark.parametrize('share', [0.01, 0.5])
def test_controlled_synthetic_data_check_is_the_golden_one_but_for_the_last_class(birds, share):
    """Of that class the peers' code finds no sufficient set, and counts its ten birds as 0."""
    variants = np.array([astuple(species(number)) for number in range(12)])
    sets = [sufficient_sets(variants, label) for label in range(12)]
    correct = birds.logits.argmax(axis=1) == birds.label
    parts = important(birds, share, 6)[correct]
    values = controlled_synthetic_data_check(parts, birds.label[correct], sets)
    last = birds.label[correct] == 11
    assert last.sum() == 10
    assert (values * ~last).mean() == pytest.approx(0.913, abs=5e-4)
    assert (values[last] == 1).all()


# By hand


def test_single_deletion_of_the_same_and_of_the_opposite_order():
    drop = np.array([[3.0, 1, 2, 0], [3, 1, 2, 0], [3, 1, 2, 0], [5, 5, 5, 5]])
    importance = np.array([[30, 10, 20, 0.1], [-3, -1, -2, 0], [1, 1, 1, 1], [1, 2, 3, 4]])
    values = single_deletion(importance, drop)
    np.testing.assert_allclose(values[:2], [1, 0], atol=1e-12)
    assert np.isnan(values[2:]).all()


def test_single_deletion_is_scipys_rank_correlation_with_ties():
    rng = np.random.default_rng(0)
    importance, drop = rng.integers(0, 4, (2, 50, 6))
    for value, one, other in zip(single_deletion(importance, drop), importance, drop):
        assert value == pytest.approx((1 + spearmanr(one, other).statistic) / 2)


def test_a_change_is_irrelevant_below_a_twentieth_or_if_the_logit_rises():
    logit = np.array([100.0, -100, 0])
    changed = np.array([[95.5, 95, 90, 150], [-104.5, -105, -110, -50], [0, -1, 1, 0]])
    expected = [
        [True, False, False, True],
        [True, False, False, True],
        [True, False, True, True],
    ]
    np.testing.assert_array_equal(irrelevant(logit, changed), expected)
    np.testing.assert_array_equal(background_independence(logit, changed), [0.5, 0.5, 0.75])


def test_distractibility_counts_irrelevant_parts_alone():
    logit = np.full(4, 10.0)
    changed = np.array([[10, 10, 0, 0], [10, 10, 0, 0], [10, 10, 0, 0], [0, 0, 0, 0]], float)
    points_at = np.array([[0, 0, 1, 1], [1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]], bool)
    values = distractibility(points_at, logit, changed)
    np.testing.assert_array_equal(values, [1, 0, 0.5, np.nan])


def test_controlled_synthetic_data_check_takes_the_set_that_is_covered_best():
    sets = [np.array([[1, 1, 0], [0, 1, 1]], bool), np.array([[1, 0, 0]], bool)]
    points_at = np.array([[1, 1, 0], [0, 0, 1], [0, 0, 0], [0, 1, 1], [1, 0, 1]], bool)
    values = controlled_synthetic_data_check(points_at, np.array([0, 0, 0, 1, 1]), sets)
    np.testing.assert_array_equal(values, [1, 0.5, 0, 0, 1])


def test_preservation_and_deletion_ask_whether_the_prediction_stays():
    before = np.array([[2.0, 1, 0], [0, 1, 2]])
    after = np.array([[9.0, 1, 0], [2, 1, 0]])
    np.testing.assert_array_equal(preservation_check(before, after), [True, False])
    np.testing.assert_array_equal(deletion_check(before, after), [False, True])


def test_target_sensitivity_compares_shared_parts_for_their_own_class():
    shared = np.array([[1, 1, 0, 0], [0, 0, 1, 1]], bool)
    for_first, for_second = [3, 2, 1, 1], [1, 1, 3, 2]
    importance = np.array([
        [for_first, for_second],  # both right
        [for_second, for_first],  # both wrong
        [for_first, for_first],  # no difference is not right
        [[3, 2, 9, 9], for_second],  # parts of the first set right, of the second wrong
    ])  # fmt: skip
    looks = np.array([[1.0, 3], [4, 2]])
    logits_without = np.stack([looks] * 4)
    shared = np.stack([shared] * 4)
    values = target_sensitivity(importance, shared, logits_without)
    np.testing.assert_array_equal(values, [1, 0, 0, 0.5])


@pytest.mark.parametrize('logits', [[[4, 3], [1, 2]], [[1, 1], [4, 2]], [[4, 3], [4, 2]]])
def test_target_sensitivity_leaves_out_birds_whose_parts_the_model_does_not_look_at(logits):
    importance = np.ones((1, 2, 4))
    shared = np.array([[[1, 1, 0, 0], [0, 0, 1, 1]]], bool)
    assert np.isnan(target_sensitivity(importance, shared, np.array([logits], float))).all()
