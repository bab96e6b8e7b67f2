import numpy as np
import pytest
from mmpretrain.registry import DATASETS

from mmproto.datasets.annotated_parts import part_names, parts_in_input, parts_of_images
from mmproto.datasets.birds import CUB_PARTS, make_birds
from mmproto.datasets.geometry import image_geometry
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
        parts = parts_in_input(dataset, image, image_geometry(dataset, image))
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
