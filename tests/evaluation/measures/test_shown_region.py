import numpy as np

from mmproto.evaluation.measures.shown_region import highest, upper_half


def test_each_map_has_its_own_threshold():
    maps = np.random.default_rng(0).permutation(100).reshape(10, 10) * np.array([[[1]], [[-5]]])
    for percentile in (90, 95):
        assert highest(maps, percentile).sum(axis=(1, 2)).tolist() == [100 - percentile] * 2
    assert (highest(maps, 90)[0] == (maps[0] >= 90)).all()
    assert (highest(maps, 90)[1] == (maps[1] >= -45)).all()
    assert (upper_half(maps)[0] == (maps[0] >= 50)).all()
    assert (upper_half(maps)[1] == (maps[1] > -247.5)).all()


def test_pixels_of_the_same_value_are_shown_together():
    plateau = np.zeros((10, 10))
    plateau[:2] = 1
    assert not highest(plateau, 90).any()
    assert (highest(plateau, 80) == upper_half(plateau)).all()
    assert upper_half(plateau).sum() == 20


def test_the_middle_is_not_in_the_upper_half():
    assert upper_half(np.array([[0.0, 1, 2, 3, 4]])).tolist() == [[False, False, False, True, True]]


def test_nothing_of_a_flat_map_is_shown():
    flat = np.full((2, 5, 5), 3.0)
    assert not highest(flat, 95).any()
    assert not upper_half(flat).any()


def test_a_threshold_is_not_rounded_to_the_next_value():
    """Between neighbours of fp32 there is no value: the upper one would be its own threshold."""
    upper = np.float32(1) + np.arange(2, dtype='f4')[None] * np.finfo('f4').eps
    for percentile in (10, 50, 90):
        assert highest(upper, percentile).tolist() == [[False, True]]
