import numpy as np
import pytest

from mmproto.evaluation.measures.explanation_size import (
    EPSILON,
    copies,
    global_size,
    local_size,
    num_duplicates,
    sparsity,
)
from tests.evaluation.measures.golden_quanproto import BASE, SCORES, batch_mean, golden


def test_sizes_are_those_of_quanproto():
    assert global_size(BASE['weight']) == golden('compactness|Global Size')
    assert sparsity(BASE['weight']) * 100 == golden('compactness|Sparsity')
    assert batch_mean(local_size(SCORES)) == pytest.approx(
        golden('compactness|Local Size'), rel=1e-6
    )


def test_prototypes_of_the_same_score_are_all_active():
    sizes = local_size(np.full(SCORES.shape, 0.7))
    assert batch_mean(sizes) == golden('compactness|Local Size', 'values_centre')


def test_only_a_positive_weight_speaks_for_a_class():
    weight = np.array([[1, -1, 0, 1e-4], [-1, -1, 0, 0]])
    assert global_size(weight) == 1
    assert sparsity(weight) == 4 / 8
    assert sparsity(np.array([[EPSILON, -EPSILON, 2 * EPSILON]])) == 2 / 3


def test_active_is_relative_to_the_highest_score_of_the_image():
    scores = np.array([[10, 1, 1.1, 0], [100, 9, 11, 10], [0, 0, 0, 0]])
    assert local_size(scores).tolist() == [2, 2, 0]
    assert local_size(scores, threshold=0.5).tolist() == [1, 1, 0]


def test_duplicates_are_of_one_class():
    """Classes of three, two and one prototypes."""
    classes = np.array([0, 1, 0, 2, 1, 0])
    prototypes = np.array([[1.0, 2], [1, 2], [1, 2], [1, 2], [2, 1], [1, 2]])
    assert num_duplicates(prototypes, classes) == 2
    assert copies(prototypes, classes).tolist() == [2, 0, 2, 0, 0, 2]
    assert num_duplicates(prototypes, np.arange(6)) == 0
    assert not copies(prototypes, np.arange(6)).any()
    assert num_duplicates(BASE['prototype'], BASE['prototype_class']) == 0
    assert (
        num_duplicates(np.tile(BASE['prototype'], (2, 1)), np.tile(BASE['prototype_class'], 2))
        == 60
    )
