import numpy as np
import pytest

from mmproto.evaluation.measures.part_hits import boxes_around, inside, own_class_pairs, peaks
from mmproto.functional import Box
from tests.evaluation.measures.golden import golden_metrics
from tests.evaluation.measures.golden_parts import (
    IMAGE,
    PROTOTYPE,
    SIMILARITY,
    VISIBLE,
    own_hits,
    random_draws,
)


def test_hits_are_those_of_evalprotopnet():
    theirs = golden_metrics('evalprotopnet')
    noisy = theirs['own_similarity_noise'][0]
    for maps, hit in (
        (SIMILARITY[IMAGE, PROTOTYPE], theirs['hit']),
        (noisy[IMAGE, PROTOTYPE % 5], theirs['hit_noise'][0]),
        (random_draws()[0][IMAGE, PROTOTYPE], theirs['random_hit']),
    ):
        assert np.array_equal(own_hits(maps).reshape(hit.shape), hit)
    assert np.array_equal(VISIBLE[IMAGE].reshape(theirs['visible'].shape), theirs['visible'])


def test_pairs_of_classes_of_different_sizes():
    label, prototype_class = np.array([2, 0, 2, 2, 1]), np.array([0, 2, 2, 3, 1])
    image, prototype = own_class_pairs(label, prototype_class)
    assert image.tolist() == [1, 0, 2, 3, 0, 2, 3, 4]
    assert prototype.tolist() == [0, 1, 1, 1, 2, 2, 2, 4]  # no image is of prototype 3's class


def test_of_equal_peaks_the_first_in_reading_order_counts():
    tied = np.zeros((3, 4, 5))
    tied[0, 1, 3] = tied[0, 2, 0] = 1  # a higher row first, though further right
    tied[1, 3, 4] = tied[1, 3, 2] = 1
    assert peaks(tied).tolist() == [[1, 3], [3, 2], [0, 0]]
    assert peaks(one for one in tied).tolist() == peaks(tied).tolist()
    assert peaks([]).shape == (0, 2)


def test_boxes_reach_to_either_side_and_end_with_the_image():
    found = boxes_around(np.array([[5, 9], [0, 19], [9, 2]]), 3, (10, 20))
    assert found.tolist() == [[2, 9, 6, 13], [0, 4, 16, 20], [6, 10, 0, 6]]


def test_the_box_of_one_cell():
    cells = np.argwhere(np.ones((3, 4)))
    centres, boxes = cells + 0.5, boxes_around(cells, 0, (3, 4))
    assert np.array_equal(inside(centres, boxes), np.eye(12))


def test_ends_of_a_box_are_exclusive_and_hidden_parts_are_outside():
    parts = np.array([[2, 3], [4, 3], [2, 7], [3.9, 6.9], [np.nan, np.nan], [1.9, 3]])
    assert inside(parts, Box(2, 4, 3, 7)).tolist() == [True, False, False, True, False, False]


@pytest.mark.parametrize('half_size', [0, 2])
def test_many_boxes_agree_with_a_plain_loop(half_size):
    rng = np.random.default_rng(0)
    parts, centres = rng.uniform(-1, 11, (6, 4, 2)), rng.integers(0, 10, (6, 2))
    found = inside(parts, boxes_around(centres, half_size, (10, 10)))
    for i, (row, column) in enumerate(centres):
        for k, (y, x) in enumerate(np.floor(parts[i])):
            near = abs(y - row) <= half_size and abs(x - column) <= half_size
            assert found[i, k] == (near and 0 <= y < 10 and 0 <= x < 10)
