import cv2
import numpy as np
import pytest
from mmpretrain.registry import DATASETS

from mmproto.datasets.birds import make_birds
from mmproto.datasets.interventions import changed_parts, has_interventions, interventions
from mmproto.datasets.object_masks import has_masks, mask_in_input
from mmproto.errors import InputError

CROPPED = [
    dict(type='LoadImageFromFile'),
    dict(type='CropToBox'),
    dict(type='Resize', scale=(48, 48)),
    dict(type='PackInputs'),
]


@pytest.fixture(scope='module', name='root')
def root_fixture(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'birds'
    return make_birds(root, classes=2, train=1, test=2, size=64, interventions=True)


def build(root, pipeline=CROPPED):
    return DATASETS.build(
        dict(type='AnnotatedCUB', data_root=str(root), split='test', pipeline=pipeline)
    )


def test_a_mask_comes_to_the_input_as_its_image_does(root):
    dataset = build(root)
    assert has_masks(dataset)
    info = dataset.get_data_info(1)
    x1, y1, x2, y2 = np.round(info['bbox']).astype(int)
    mask = cv2.imread(info['mask_path'], cv2.IMREAD_GRAYSCALE)[y1:y2, x1:x2]
    found = mask_in_input(dataset, 1)
    assert found.shape == (48, 48)
    expected = cv2.resize(mask, (48, 48), interpolation=cv2.INTER_AREA) >= 128
    assert (found == expected).mean() > 0.95


def test_a_mask_of_another_size_is_named(root, tmp_path):
    dataset = build(root)
    small = tmp_path / 'small.png'
    cv2.imwrite(str(small), np.zeros((5, 6), np.uint8))
    info = {**dataset.get_data_info(0), 'mask_path': str(small)}
    dataset.get_data_info = lambda _: dict(info)
    with pytest.raises(InputError, match=r'small.png is 6x5 pixels and its image 64x64'):
        mask_in_input(dataset, 0)


def test_interventions_differ_from_their_image_where_the_part_is(root):
    dataset = build(root, [CROPPED[0], CROPPED[3]])
    assert has_interventions(dataset)
    assert changed_parts(str(root)) == ['beak', 'crown', 'wing', 'breast', 'tail', 'feet']
    image = dataset[0]['inputs'].int()
    found = interventions(dataset, 0)
    for number, (without, swapped) in enumerate(zip(found.without, found.swapped), 1):
        part = found.part_mask == number
        for changed in (without, swapped):
            difference = (changed.int() - image).abs().sum(dim=0).numpy()
            if part.sum() > 20:
                assert difference[part].mean() > 3 * difference.mean()
    background = found.part_mask == 7
    difference = (found.background.int() - image).abs().sum(dim=0).numpy()
    assert difference[background].mean() > 3 * difference[~background].mean()


def test_a_folder_without_them_has_none(tmp_path):
    root = make_birds(tmp_path / 'birds', classes=2, train=1, test=1, size=64)
    assert not has_interventions(build(root))
