"""Stanford Cars on a few small images in both of its layouts, and its config."""

from pathlib import Path

import mat4py
import pytest
from mmengine import Config
from mmengine.registry import DATASETS
from PIL import Image

from mmproto.datasets.cars import AnnotatedCars
from mmproto.errors import InputError

CONFIGS = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets'
# file, x1, y1, x2, y2 as Matlab counts, class, whether it is a test image
ENTRIES = [
    ('00001.jpg', 6, 7, 25, 16, 14, 0),
    ('00002.jpg', 1, 1, 30, 50, 3, 1),
    ('00003.jpg', 11, 5, 62, 30, 196, 0),  # two pixels out of the image on the right
    ('00004.jpg', 2, 2, 9, 9, 1, 1),
]
SIZES = [(40, 30), (30, 50), (60, 30), (300, 20)]  # (width, height)
FIELDS = ('fname', 'bbox_x1', 'bbox_y1', 'bbox_x2', 'bbox_y2', 'class')


def savemat(path, entries, **changes):
    """Writes entries (without the split) as the struct array that the downloads hold."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = {name: list(values) for name, values in zip(FIELDS, zip(*entries))}
    annotations = {**fields, **changes}
    mat4py.savemat(
        str(path),
        {'annotations': {k: v for k, v in annotations.items() if v is not None}},
    )


def save_images(folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    for (name, *_), size in zip(ENTRIES, SIZES):
        if name in names:
            Image.new('RGB', size, (200, 100, 50)).save(folder / name)


def single_file(root, entries=ENTRIES):
    """The layout with one annotation file for both splits."""
    save_images(root / 'car_ims', [entry[0] for entry in entries])
    savemat(
        root / 'cars_annos.mat',
        [entry[:-1] for entry in entries],
        fname=None,
        relative_im_path=[f'car_ims/{entry[0]}' for entry in entries],
        test=[entry[-1] for entry in entries],
    )
    return root


def devkit(root, entries=ENTRIES):
    """The layout with a folder and a file for each split."""
    for test, folder, file in (
        (0, 'cars_train', 'cars_train_annos.mat'),
        (1, 'cars_test', 'cars_test_annos_withlabels.mat'),
    ):
        part = [entry[:-1] for entry in entries if entry[-1] == test]
        save_images(root / folder, [entry[0] for entry in part])
        savemat(root / 'devkit' / file, part)
    return root


def message(root, **kwargs):
    """The one line of the error that loading ends in."""
    with pytest.raises(InputError) as error:
        AnnotatedCars(data_root=str(root), **kwargs)
    assert '\n' not in str(error.value)
    return str(error.value)


def changed(index, **values):
    """The entries with some values of one of them replaced."""
    names = [*FIELDS, 'test']
    entries = [list(entry) for entry in ENTRIES]
    for name, value in values.items():
        entries[index][names.index(name)] = value
    return entries


@pytest.mark.parametrize('layout', [single_file, devkit])
def test_both_layouts_give_the_same_images_labels_and_boxes(tmp_path, layout):
    root = str(layout(tmp_path))
    train, test = (AnnotatedCars(data_root=root, split=split) for split in ('train', 'test'))
    assert [Path(train[i]['img_path']).name for i in range(len(train))] == [
        '00001.jpg',
        '00003.jpg',
    ]
    assert list(train.get_gt_labels()) == [13, 195]
    # counted from 0, the end excluded, clipped
    assert train[0]['bbox'].tolist() == [5, 6, 25, 16]
    assert train[1]['bbox'].tolist() == [10, 4, 60, 30]
    assert [Path(test[i]['img_path']).name for i in range(len(test))] == ['00002.jpg', '00004.jpg']
    assert test[0]['bbox'].tolist() == [0, 0, 30, 50]
    assert len(train.metainfo['classes']) == 196


def test_a_file_with_a_single_entry(tmp_path):
    devkit(tmp_path, changed(2, test=1))
    assert len(AnnotatedCars(data_root=str(tmp_path))) == 1


def test_a_folder_of_neither_layout_is_named(tmp_path):
    text = message(tmp_path)
    assert str(tmp_path) in text
    assert 'cars_annos.mat' in text
    assert 'cars_train_annos.mat' in text
    assert 'cars_test_annos_withlabels.mat' in message(tmp_path, split='test')


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / 'cars_annos.mat').write_bytes(b'no mat file')
    assert 'cars_annos.mat is no .mat file' in message(tmp_path)
    mat4py.savemat(str(tmp_path / 'cars_annos.mat'), {'others': [1, 2]})
    assert 'cars_annos.mat is no .mat file with annotations' in message(tmp_path)


def test_a_missing_field_is_named(tmp_path):
    single_file(tmp_path)
    savemat(tmp_path / 'cars_annos.mat', [entry[:-1] for entry in ENTRIES], bbox_x2=None)
    assert "'bbox_x2'" in message(tmp_path)


def test_a_missing_image_is_named(tmp_path):
    single_file(tmp_path)
    (tmp_path / 'car_ims' / '00003.jpg').unlink()
    text = message(tmp_path)
    assert 'entry 3' in text
    assert '00003.jpg is missing' in text
    assert 'Stanford_Cars' in text


@pytest.mark.parametrize('box', [dict(bbox_x2=63), dict(bbox_x1=26), dict(bbox_y1=40, bbox_y2=50)])
def test_a_box_outside_its_image_is_named(tmp_path, box):
    index = 2 if 'bbox_x2' in box else 0
    text = message(single_file(tmp_path, changed(index, **box)))
    assert 'outside or empty' in text
    assert ENTRIES[index][0] in text
    assert f'entry {index + 1}' in text


@pytest.mark.parametrize('label', [0, 197])
def test_a_label_that_is_no_class_is_named(tmp_path, label):
    text = message(single_file(tmp_path, changed(0, **{'class': label})))
    assert f'class {label} is not among the 196' in text


def test_a_split_that_there_is_not(tmp_path):
    assert message(tmp_path, split='valid') == "dataset.split='valid': give train or test"


def test_a_split_without_images(tmp_path):
    entries = [[*entry[:-1], 1] for entry in ENTRIES]
    assert 'there is no train image' in message(single_file(tmp_path, entries))


def test_the_config_crops_every_car(tmp_path, monkeypatch):
    monkeypatch.setenv('DATA_ROOT', str(devkit(tmp_path)))
    cfg = Config.fromfile(CONFIGS / 'cars_cropped.py')
    for name in ('push_dataloader', 'val_dataloader', 'test_dataloader'):
        sample = DATASETS.build(cfg[name].dataset)[0]
        assert sample['inputs'].shape == (3, 224, 224)
    assert sample['data_samples'].crop_box == (0, 0, 30, 50)
    train = DATASETS.build(cfg.train_dataloader.dataset)
    assert len(train) == 2 * 30
    assert train[0]['inputs'].shape == (3, 224, 224)
