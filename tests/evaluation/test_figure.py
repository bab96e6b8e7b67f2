import numpy as np
import pytest

from mmproto.evaluation.figure import mean_estimate, mean_of_prototypes


def test_the_interval_of_a_mean_is_that_of_statistics():
    values = np.random.default_rng(0).normal(3, 2, 400)
    estimate = mean_estimate(values)
    assert estimate.value == pytest.approx(values.mean())
    half = 1.96 * values.std() / 20
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.03)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.03)


def test_what_is_not_known_counts_for_nothing():
    assert mean_estimate([1, np.nan, 3]).value == 2
    assert np.isnan(mean_estimate([np.nan])).all()


def test_each_prototype_has_the_mean_of_its_images():
    pairs = [(np.array([0, 2]), np.array([1.0, 5.0])), (np.array([0]), np.array([2.0]))]
    pairs.append((np.array([2]), np.array([np.nan])))
    np.testing.assert_equal(mean_of_prototypes(pairs, 3), [1.5, np.nan, 5.0])
