import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from mmproto.apis import push_prototypes, write_prototypes
from mmproto.engine.push_record import epoch_folder
from mmproto.visualization.prototype_files import remove_older_images
from tests.pushing import push_to
from tests.toy import loader, model_config


@pytest.fixture
def model():
    torch.manual_seed(0)
    return MODELS.build(model_config()).eval()


def test_images_and_records(model, tmp_path):
    dataloader = Runner.build_dataloader(loader(count=37, size=48))
    images = dataloader.dataset.images
    images[:] = images[:, ::16, ::16].repeat(16, axis=1).repeat(16, axis=2)  # JPEG blurs noise
    nearest = push_prototypes(model, dataloader)
    write_prototypes(model, nearest, dataloader.dataset, tmp_path / 'new' / 'folder')
    records = json.loads((tmp_path / 'new' / 'folder' / 'prototypes.json').read_text())
    assert len(records) == 6
    for record, (prototype, image) in zip(records, enumerate(model.head.prototype_image.tolist())):
        assert record['prototype'] == prototype
        box = record['box']
        crop = images[image, box['top'] : box['bottom'], box['left'] : box['right']]
        stem = tmp_path / 'new' / 'folder' / f'{prototype:05d}'
        for name, shape in dict(image=(48, 48), crop=crop.shape[:2], heat=(48, 48)).items():
            assert cv2.imread(f'{stem}_{name}.jpg').shape[:2] == shape
        shown = cv2.imread(f'{stem}_crop.jpg').astype(float)
        assert np.abs(shown - crop).mean() < 12
        edge = cv2.imread(f'{stem}_image.jpg')[box['top'], box['left'] : box['right']].mean(axis=0)
        assert edge[2] > edge[0] + 50  # the box is yellow


def test_grey_images_are_drawn(model, tmp_path):
    dataloader = Runner.build_dataloader(loader())
    nearest = push_prototypes(model, dataloader)
    grey = Runner.build_dataloader({**loader(), 'dataset': dict(type='GreyDataset')}).dataset
    write_prototypes(model, nearest, grey, tmp_path)
    records = json.loads((tmp_path / 'prototypes.json').read_text())
    assert [record['image'] for record in records] == [None] * 6
    assert cv2.imread(str(tmp_path / '00000_image.jpg')).shape == (16, 16, 3)


def test_an_image_is_loaded_once(model, tmp_path):
    dataset = Runner.build_dataloader(loader()).dataset
    dataset.images[:] = dataset.images[0]  # so that both prototypes of a class are of one image
    nearest = push_prototypes(model, Runner.build_dataloader({**loader(), 'dataset': dataset}))
    loaded = []
    load = type(dataset).__getitem__

    class Watched(type(dataset)):
        def __getitem__(self, index):
            loaded.append(index)
            return load(self, index)

    dataset.__class__ = Watched
    write_prototypes(model, nearest, dataset, tmp_path)
    assert sorted(loaded) == [0, 0, 1, 2]  # one more for the size of all


def test_an_image_that_cannot_be_written_is_an_error(model, tmp_path):
    dataloader = Runner.build_dataloader(loader())
    nearest = push_prototypes(model, dataloader)
    (tmp_path / '00003_crop.jpg').mkdir()
    with pytest.raises(OSError, match=r'00003_crop\.jpg'):
        write_prototypes(model, nearest, dataloader.dataset, tmp_path)
    assert len(json.loads((tmp_path / 'prototypes.json').read_text())) == 6


def files_of(folder):
    return {file.name for file in folder.iterdir()}


def test_older_images_are_removed_and_nothing_else(model, tmp_path):
    dataloader = Runner.build_dataloader(loader())
    folders = {epoch: epoch_folder(tmp_path, epoch) for epoch in (9, 10, 21, 31)}
    for folder in folders.values():
        push_to(folder, model, dataloader)
    (folders[10] / 'push.json').unlink()  # no push has written that
    mine = ('notes.txt', '00001_mine.jpg', 'a_00000_crop.jpg', 'sheet.jpg')
    for name in mine:
        (folders[9] / name).touch()
    (tmp_path / 'prototypes' / '00000_crop.jpg').touch()
    all_files = files_of(folders[21])

    remove_older_images(tmp_path, epoch=21, keep=1)  # 31 is of a run before
    assert files_of(folders[9]) == {'push.json', 'prototypes.json', *mine}
    assert files_of(folders[10]) == all_files - {'push.json'}
    assert files_of(folders[21]) == files_of(folders[31]) == all_files
    assert (tmp_path / 'prototypes' / '00000_crop.jpg').exists()

    remove_older_images(tmp_path, epoch=31, keep=2)
    assert files_of(folders[21]) == files_of(folders[31]) == all_files
