import cv2
import numpy as np
import pytest
from mmpretrain.registry import DATASETS

from mmproto.datasets.birds import VARIANTS, make_birds, species
from mmproto.datasets.geometry import image_geometry
from mmproto.datasets.interventions import (
    changed_parts,
    class_variants,
    has_interventions,
    has_part_sets,
    interventions,
)
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
    found = mask_in_input(dataset, 1, image_geometry(dataset, 1))
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
        mask_in_input(dataset, 0, image_geometry(dataset, 0))


def test_interventions_differ_from_their_image_where_the_part_is(root):
    dataset = build(root, [CROPPED[0], CROPPED[3]])
    assert has_interventions(dataset)
    assert changed_parts(str(root)) == ['beak', 'crown', 'wing', 'breast', 'tail', 'feet']
    image = dataset[0]['inputs'].int()
    found = interventions(dataset, 0, image_geometry(dataset, 0))
    for number, (without, swapped) in enumerate(zip(found.without, found.swapped), 1):
        part = found.part_mask == number
        for changed in (without, swapped):
            difference = (changed.int() - image).abs().sum(dim=0).numpy()
            if part.sum() > 20:
                assert difference[part].mean() > 3 * difference.mean()
    background = found.part_mask == 7
    difference = (found.background.int() - image).abs().sum(dim=0).numpy()
    assert difference[background].mean() > 3 * difference[~background].mean()


def test_a_set_of_parts_goes_at_once(root):
    dataset = build(root, [CROPPED[0], CROPPED[3]])
    assert has_part_sets(dataset)
    found = interventions(dataset, 0, image_geometry(dataset, 0))
    image = dataset[0]['inputs'].int()

    def change(*numbers):
        removed = np.isin(np.arange(1, 7), numbers)
        return (found.without_set(removed).int() - image).abs().sum(dim=0).numpy()

    beak, tail = (found.part_mask == number for number in (1, 5))
    assert change(1, 5)[beak].mean() > 30
    assert change(1, 5)[tail].mean() > 30
    assert change(5)[beak].mean() < 10
    assert change(1)[tail].mean() < 10
    assert np.array_equal(found.without_set(np.arange(6) == 2), found.without[2])


def test_the_variants_of_a_class_are_those_of_its_species(root):
    expected = [[getattr(species(label), part) for part in VARIANTS] for label in range(2)]
    assert class_variants(build(root)).tolist() == expected


def test_only_some_images_are_drawn_without_every_set(tmp_path):
    dataset = build(make_birds(tmp_path / 'birds', 2, train=1, test=6, size=64, interventions=True))
    has_sets = [
        interventions(dataset, i, image_geometry(dataset, i)).without_set is not None
        for i in range(12)
    ]
    assert has_sets == [True] * 5 + [False] + [True] * 5 + [False]


def test_a_folder_without_them_has_none(tmp_path):
    root = make_birds(tmp_path / 'birds', classes=2, train=1, test=1, size=64)
    assert not has_interventions(build(root))
    assert not has_part_sets(build(root))
