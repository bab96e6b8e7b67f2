"""Pixels of parts in boxes, and what is read off them."""

import numpy as np
import pytest

from mmproto.evaluation.measures.part_areas import (
    cell_boxes,
    important_parts,
    part_areas,
    part_importances,
    shown_parts,
)
from tests.evaluation.measures.golden_birds import golden_birds

MASK = np.array([[
    [1, 1, 0, 2],
    [1, 1, 0, 2],
    [7, 7, 2, 2],
]])  # fmt: skip


def test_areas_are_those_of_a_plain_loop():
    rng = np.random.default_rng(1)
    mask = rng.integers(0, 8, (3, 13, 9))
    top, left = rng.integers(0, 13, (3, 5)), rng.integers(0, 9, (3, 5))
    bottom, right = rng.integers(top, 14), rng.integers(left, 10)
    boxes = np.stack([top, bottom, left, right], axis=-1)
    areas = part_areas(mask, boxes, 6)
    for n in range(3):
        for p, (a, b, c, d) in enumerate(boxes[n]):
            inside = mask[n, a:b, c:d]
            assert areas[n, p].tolist() == [(inside == part).sum() for part in range(1, 7)]


def test_a_box_shows_the_part_with_most_pixels_in_it_the_first_of_equals_or_none():
    boxes = np.array([[[0, 3, 0, 4], [0, 2, 1, 4], [0, 3, 1, 4], [2, 3, 0, 2], [1, 1, 0, 4]]])
    areas = part_areas(MASK, boxes, 3)
    assert areas[0].tolist() == [[4, 4, 0], [2, 2, 0], [2, 4, 0], [0, 0, 0], [0, 0, 0]]
    assert shown_parts(areas).tolist() == [[0, 0, 1, -1, -1]]


def test_cells_lie_where_their_pixels_are():
    boxes = cell_boxes(np.array([[0, 0], [5, 3]]), (6, 6), (96, 96))
    assert boxes.tolist() == [[0, 16, 0, 16], [80, 96, 48, 64]]
    # Ten pixels over four cells: each has two and a half, and is given the pixel it has half of.
    assert cell_boxes(np.array([0, 2]), (4, 4), (10, 8)).tolist() == [0, 3, 4, 6]
    assert cell_boxes(np.array([1, 2]), (4, 4), (10, 8)).tolist() == [2, 5, 4, 6]


def test_importances_are_the_golden_ones():
    birds = golden_birds()
    areas = part_areas(birds.part_map, birds.their_boxes, 6)
    points = np.where(birds.own, birds.scores.astype(float) * birds.weight, 0)
    np.testing.assert_allclose(3 * part_importances(areas, points), birds.importance, rtol=1e-6)


@pytest.mark.parametrize(
    ('threshold', 'own', 'expected'),
    [
        (0.4, [True, False], [True, False, False]),
        (0.5, [True, False], [False, False, False]),  # exactly half of it is not more
        (0.7, [True, True], [True, False, False]),  # the two boxes overlap
        (0, [False, True], [True, False, False]),
        (0, [False, False], [False, False, False]),
    ],
)
def test_a_part_is_important_if_the_own_boxes_cover_more_of_it_than_a_share(
    threshold, own, expected
):
    boxes = np.array([[[0, 1, 0, 3], [0, 2, 0, 2]]])
    important = important_parts(MASK, boxes, np.array([own]), 3, threshold)
    assert important.tolist() == [expected]
