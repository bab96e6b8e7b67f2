import numpy as np
import pytest
from mmpretrain.registry import DATASETS

from mmproto.analysis.part_agreement import (
    inside,
    part_agreement,
    part_names,
    parts_in_input,
    parts_of_images,
)
from mmproto.datasets.birds import CUB_PARTS, make_birds
from tests.toy import ArrayDataset

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='CropToBox'),
    dict(type='Resize', scale=(48, 32)),
    dict(type='PackInputs', meta_keys=('crop_box', 'parts')),
]


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    birds = make_birds(tmp_path_factory.mktemp('data') / 'birds', 3, train=2, test=1, size=64)
    return DATASETS.build(
        dict(type='AnnotatedCUB', data_root=str(birds), split='train', pipeline=PIPELINE)
    )


def test_parts_are_found_in_the_cropped_and_resized_input(dataset):
    assert part_names(dataset) == list(CUB_PARTS)
    hidden = 0
    found = parts_of_images(dataset, [3, 0, 1, 0, 2])
    assert list(found) == [0, 1, 2, 3]
    for image in range(4):
        parts = parts_in_input(dataset, image)
        assert np.array_equal(parts, found[image], equal_nan=True)
        sample = dataset[image]['data_samples']
        x1, y1, x2, y2 = sample.crop_box
        for (x, y, visible), part in zip(sample.parts, parts):  # moved along by the crop
            hidden += not visible
            if visible:
                assert part == pytest.approx([y * 32 / (y2 - y1), x * 48 / (x2 - x1)])
            else:
                assert np.isnan(part).all()
    assert hidden


def test_data_without_parts_has_none():
    assert part_names(ArrayDataset()) is None


def test_ends_of_a_box_are_exclusive_and_hidden_parts_are_outside():
    parts = np.array([[2, 3], [4, 3], [2, 7], [3.9, 6.9], [np.nan, np.nan], [1.9, 3]])
    assert inside(parts, (2, 4, 3, 7)).tolist() == [True, False, False, True, False, False]


def test_the_truth_agrees_with_plain_loops():
    rng = np.random.default_rng(0)
    images, prototypes, parts = 9, 14, 4
    activated = np.stack([rng.permutation(prototypes)[:10] for _ in range(images)])
    places = {i: rng.uniform(0, 20, (parts, 2)) for i in range(images)}
    places[2][1] = np.nan
    own = [rng.random(parts) < 0.3 for _ in range(prototypes)]
    own[3], own[5] = None, np.zeros(parts, bool)
    boxes = {}
    for i in range(images):
        for j in range(prototypes):
            top, left = rng.integers(0, 15, 2).tolist()
            boxes[i, j] = (top, top + 6, left, left + 8)
    truth = part_agreement(activated, boxes, places, own)
    for shift, on_object, on_same_part in (
        (0, truth.on_object, truth.on_same_part),
        (4, truth.chance_on_object, truth.chance_on_same_part),
    ):
        some, same = [], []
        for i in range(images):
            for j in activated[i]:
                top, bottom, left, right = boxes[i, j]
                held = {
                    part
                    for part, (y, x) in enumerate(places[(i + shift) % images])
                    if top <= y < bottom and left <= x < right
                }
                some.append(len(held) > 0)
                if j not in (3, 5) and own[j].any():
                    same.append(len(held & set(np.flatnonzero(own[j]))) > 0)
        assert on_object == pytest.approx(np.mean(some))
        assert on_same_part == pytest.approx(np.mean(same))
        assert len(same) < len(some)
    assert truth.images == images
    assert np.isnan(part_agreement(activated, boxes, places, [None] * prototypes).on_same_part)
