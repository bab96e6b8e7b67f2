import numpy as np
import pytest

from mmproto.evaluation.measures.chance_maps import centre_map, other_of_class
from mmproto.evaluation.measures.part_hits import peaks


def test_the_other_image_is_half_the_class_later():
    label = np.array([4, 0, 4, 4, 0, 7, 4, 4])
    assert other_of_class(label).tolist() == [3, 4, 6, 7, 1, 5, 0, 2]


@pytest.mark.parametrize('seed', range(5))
def test_every_image_is_the_other_of_one_of_its_class(seed):
    label = np.random.default_rng(seed).integers(0, 10, 60)
    other = other_of_class(label)
    assert np.array_equal(label[other], label)
    assert np.array_equal(np.sort(other), np.arange(60))
    alone = np.bincount(label)[label] == 1
    assert np.array_equal(other == np.arange(60), alone)


def test_the_centre_is_the_middle_cell_or_the_first_of_the_middle_ones():
    found = peaks([centre_map((5, 7)), centre_map((6, 7)), centre_map((1, 4))])
    assert found.tolist() == [[2, 3], [2, 3], [0, 1]]
    assert centre_map((3, 5))[0, 0] == pytest.approx(-(5**0.5))
