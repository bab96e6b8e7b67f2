import numpy as np

from mmproto.evaluation.measures.unit_range import unit_range


def test_each_map_goes_from_0_to_1():
    maps = np.array([[[-2.0, 0], [2, 6]], [[1, 1], [1, 3]]])
    assert unit_range(maps).tolist() == [[[0, 0.25], [0.5, 1]], [[0, 0], [0, 1]]]
    assert unit_range(maps[0]).tolist() == [[0, 0.25], [0.5, 1]]


def test_a_constant_map_stands_out_nowhere():
    assert not unit_range(np.full((2, 3, 4), -5.0)).any()
