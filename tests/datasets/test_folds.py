import numpy as np
import pytest
from mmpretrain.registry import DATASETS
from PIL import Image

from mmproto.datasets.checks import image_paths
from mmproto.datasets.folds import check_in_fold, in_fold
from mmproto.errors import InputError

FOLD = dict(type='KFoldDataset', fold=1, num_splits=3, seed=7, test_mode=False)


@pytest.fixture
def images(tmp_path):
    """Config of a folder of two classes of six images."""
    rng = np.random.default_rng(0)
    for name in 'ab':
        (tmp_path / name).mkdir()
        for i in range(6):
            image = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(image).save(tmp_path / name / f'{i}.png')
    return dict(type='FolderDataset', data_root=str(tmp_path), split='all', pipeline=[])


def paths(config):
    return image_paths(DATASETS.build(config))


def test_the_push_set_has_the_images_of_the_fold(images):
    other = {**images, 'pipeline': [dict(type='LoadPicture')]}
    train = {**FOLD, 'dataset': images}
    push = in_fold(other, train)
    assert push == {**FOLD, 'dataset': other}
    assert paths(push) == paths(train)
    assert len(paths(push)) == 8
    validation = {**train, 'test_mode': True}
    assert not {*paths(push)} & {*paths(validation)}


def test_wrappers_on_either_side_are_looked_through(images):
    train = dict(type='RepeatDataset', times=2, dataset={**FOLD, 'dataset': images})
    push = in_fold(dict(type='RepeatDataset', times=1, dataset=images), train)
    assert push == dict(type='RepeatDataset', times=1, dataset={**FOLD, 'dataset': images})
    assert paths(push) == paths(train)


def test_what_has_no_fold_or_one_of_its_own_stays(images):
    fold = {**FOLD, 'fold': 2, 'dataset': images}
    assert in_fold(images, images) is images
    assert in_fold(fold, {**FOLD, 'dataset': images}) is fold
    built = DATASETS.build(images)
    assert in_fold(built, {**FOLD, 'dataset': images}) is built


def test_a_push_set_with_other_images_than_the_fold_is_refused(images):
    train = {**FOLD, 'dataset': images}
    built = {name: DATASETS.build({**FOLD, 'fold': k, 'dataset': images}) for name, k in
             (('same', 1), ('other', 2))}  # fmt: skip
    check_in_fold(built['same'], DATASETS.build(train), train)
    check_in_fold(built['other'], DATASETS.build(images), images)  # no fold, so no matter
    with pytest.raises(InputError, match='has 4 images that are not in the fold'):
        check_in_fold(built['other'], DATASETS.build(train), train)
