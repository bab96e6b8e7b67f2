import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmproto.explanation.high_activation import (
    cell_centre,
    high_activation_box,
    region_box,
    upsample,
)
from mmproto.visualization.drawing import heat_map


@pytest.mark.parametrize('shape', [(1, 1), (7, 5)])
@pytest.mark.parametrize('rounding', [0, 1e-7])
def test_a_constant_map_gives_the_whole_image_and_no_heat(shape, rounding):
    noise = np.random.default_rng(0).uniform(-rounding, rounding, shape)
    constant = (9.2103 * (1 + noise)).astype(np.float32)
    activation = upsample(constant, (113, 97))
    assert np.ptp(activation) == 0
    assert activation.dtype == np.float32
    assert high_activation_box(activation) == (0, 113, 0, 97)
    drawn = heat_map(np.full((113, 97, 3), (100, 100, 90), np.uint8), activation)  # coloured
    assert (drawn == drawn[0, 0]).all()
    assert drawn[0, 0, 0] > drawn[0, 0, 2]  # the cold end of the colours


def test_a_small_peak_is_no_constant():
    peaked = np.full((7, 7), 9.2, np.float32)
    peaked[2, 3] += 0.01
    assert high_activation_box(upsample(peaked, (70, 70))) != (0, 70, 0, 70)


@given(
    st.integers(0, 9999),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(18, 70), st.integers(18, 70)),
    st.sampled_from([0, 1, 3]),
)
def test_the_cell_that_scored_is_in_its_box(seed, shape, size, decimals):
    scores = np.random.default_rng(seed).normal(size=shape).round(decimals).astype(np.float32)
    cell = np.unravel_index(scores.argmax(), shape)
    point = cell_centre(cell, shape, size)
    assert tuple(at * old // new for at, old, new in zip(point, shape, size)) == cell
    top, bottom, left, right = region_box(upsample(scores, size), point)
    assert top <= point[0] < bottom
    assert left <= point[1] < right


def test_a_peak_between_other_cells_does_not_move_the_box():
    # Four cells that score nearly as much as the one at (1, 1) make the map highest among them.
    scores = np.zeros((9, 9), np.float32)
    scores[1, 1] = 1
    scores[6:8, 6:8] = 0.99
    activation = upsample(scores, (90, 90))
    row, column = np.unravel_index(activation.argmax(), activation.shape)
    assert min(row, column) > 60
    assert region_box(activation, (row, column)).top >= 60
    assert region_box(activation, cell_centre((1, 1), (9, 9), (90, 90))).bottom <= 20


def test_the_box_grows_from_a_cell_that_is_not_marked():
    activation = np.zeros((10, 10))
    activation[5, 2:9] = [0.5, 0.5, 0.2, 0.9, 0.9, 0.9, 0.9]
    activation[9, 9] = 0.8
    assert region_box(activation, (5, 5)) == (5, 6, 5, 9)
    assert region_box(activation, (5, 3)) == (5, 6, 2, 4)
    assert region_box(activation, (5, 4)) == (5, 6, 2, 9)
