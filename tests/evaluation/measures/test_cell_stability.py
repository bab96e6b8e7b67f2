import numpy as np
import pytest

from mmproto.evaluation.measures.cell_stability import cell_stability, same_or_adjacent


def test_a_cell_and_its_eight_neighbours_are_one_place():
    grid = np.stack(np.indices((5, 5)), axis=-1)
    near = same_or_adjacent(grid, np.array([2, 3]))
    expected = np.zeros((5, 5), bool)
    expected[1:4, 2:5] = True
    assert np.array_equal(near, expected)


def test_shares_by_hand():
    cells = np.array([[0, 0], [2, 2], [4, 1]])
    noisy = np.array(
        [
            [[0, 0], [2, 3], [4, 1]],
            [[1, 1], [0, 2], [4, 3]],
            [[0, 1], [2, 2], [1, 1]],
            [[5, 5], [5, 5], [5, 5]],
        ]
    )
    counted = np.array([True, True, True, False])
    assert cell_stability(cells, noisy, counted) == pytest.approx([1, 2 / 3, 1 / 3])
    assert cell_stability(cells, noisy, np.ones(4, bool)) == pytest.approx([3 / 4, 1 / 2, 1 / 4])


def test_no_draw_that_counts_and_no_prototypes():
    cells, noisy = np.zeros((2, 2), int), np.zeros((3, 2, 2), int)
    assert np.isnan(cell_stability(cells, noisy, np.zeros(3, bool))).all()
    assert cell_stability(cells[:0], noisy[:, :0], np.ones(3, bool)).shape == (0,)
