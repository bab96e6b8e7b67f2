import numpy as np
import pytest

from mmproto.evaluation.measures.overlap import background_overlap, iou, object_overlap
from mmproto.evaluation.measures.shown_region import highest
from mmproto.functional import Box
from tests.evaluation.measures.golden_quanproto import (
    MAPS,
    batch_mean,
    golden,
    in_input,
    segmentations,
)

NOTHING, ALL = np.zeros((4, 6), bool), np.ones((4, 6), bool)


def region(box):
    inside = NOTHING.copy()
    inside[box.top : box.bottom, box.left : box.right] = True
    return inside


@pytest.mark.parametrize(
    ('measure', 'name'),
    [(iou, 'IOU'), (object_overlap, 'Object Overlap'), (background_overlap, 'Background Overlap')],
)
def test_birds_are_overlapped_as_in_quanproto(measure, name):
    values = measure(highest(in_input(MAPS), 95), segmentations()[:, None])
    assert values.shape == (240, 5)
    assert batch_mean(values) * 100 == pytest.approx(golden(f'complexity|{name}'), rel=1e-6)


@pytest.mark.parametrize(
    ('shown', 'expected'),
    [
        (Box(0, 2, 0, 2), (1, 1, 0)),
        (Box(0, 1, 0, 2), (1 / 2, 1 / 2, 0)),
        (Box(0, 4, 0, 6), (4 / 24, 1, 20 / 24)),
        (Box(1, 3, 1, 3), (1 / 7, 1 / 4, 3 / 4)),
        (Box(2, 4, 2, 4), (0, 0, 1)),
    ],
)
def test_a_box_on_an_object(shown, expected):
    mask, shown = region(Box(0, 2, 0, 2)), region(shown)
    found = [measure(shown, mask) for measure in (iou, object_overlap, background_overlap)]
    assert found == pytest.approx(expected)


def test_without_an_object_none_of_it_can_be_shown():
    assert np.isnan(object_overlap(ALL, NOTHING))
    assert background_overlap(ALL, NOTHING) == 1
    assert iou(ALL, NOTHING) == 0


def test_where_nothing_is_shown_nothing_lies_on_the_background():
    assert np.isnan(background_overlap(NOTHING, ALL))
    assert object_overlap(NOTHING, ALL) == 0
    assert iou(NOTHING, ALL) == 0


def test_two_empty_regions_are_the_same():
    assert iou(NOTHING, NOTHING) == 1


def test_one_object_is_compared_with_all_regions():
    masks, shown = np.stack([ALL, NOTHING])[:, None], np.stack([[ALL, NOTHING, ALL]] * 2)
    assert iou(shown, masks).tolist() == [[1, 0, 1], [0, 1, 0]]
    assert object_overlap(shown, masks)[0].tolist() == [1, 0, 1]
    assert np.isnan(object_overlap(shown, masks)[1]).all()
