"""The CUB data set on a folder of five small images in CUB's layout, and its configs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine import Config
from mmengine.registry import DATASETS, DefaultScope
from PIL import Image

from mmproto.datasets.cub import AnnotatedCUB
from mmproto.errors import InputError

CONFIGS = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets'
FILES = {
    'classes.txt': ['1 001.Blue_Jay', '2 002.House_Wren', '3 003.Tree_Swallow'],
    'images.txt': ['1 a/1.jpg', '2 a/2.jpg', '3 b/3.jpg', '4 b/4.jpg', '5 c/5.jpg'],
    'image_class_labels.txt': ['1 1', '2 1', '3 2', '4 2', '5 3'],
    'train_test_split.txt': ['1 1', '2 0', '3 1', '4 0', '5 1'],
    'bounding_boxes.txt': [
        '1 5.0 6.0 20.0 10.0',
        '2 0.0 0.0 30.0 50.0',
        '3 2.5 3.5 10.4 20.6',
        '4 1.0 1.0 9.0 9.0',
        '5 -1.0 4.0 62.0 27.0',
    ],
    'parts/parts.txt': ['1 back', '2 left eye'],
    'parts/part_locs.txt': [
        f'{i} {p} {10.0 * i} {p}.5 {int(p == 1)}' for i in range(1, 6) for p in (1, 2)
    ],
}
SIZES = [(40, 30), (30, 50), (50, 64), (35, 20), (60, 30)]  # (width, height)


@pytest.fixture
def root(tmp_path):
    """A folder in CUB's layout."""
    for name, lines in FILES.items():
        write(tmp_path, name, lines)
    for line, size in zip(FILES['images.txt'], SIZES):
        path = tmp_path / 'images' / line.split()[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', size, (200, 100, 50)).save(path)
    return tmp_path


def write(root, name, lines):
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text('\n'.join(lines) + '\n')


def load(root, **kwargs):
    return AnnotatedCUB(data_root=str(root), **kwargs)


def message(root, **kwargs):
    """The one line of the error that loading ends in."""
    with pytest.raises(InputError) as error:
        load(root, **kwargs)
    assert '\n' not in str(error.value)
    return str(error.value)


def test_every_image_of_the_split_in_the_files_order(root):
    train, test = load(root, split='train'), load(root, split='test')
    infos = [train[i] for i in range(len(train))]
    assert [Path(info['img_path']).relative_to(root).as_posix() for info in infos] == [
        'images/a/1.jpg',
        'images/b/3.jpg',
        'images/c/5.jpg',
    ]
    assert list(train.get_gt_labels()) == [0, 1, 2]
    assert [Path(test[i]['img_path']).name for i in range(len(test))] == ['2.jpg', '4.jpg']


def test_boxes_are_xyxy_and_clipped(root):
    train = load(root)
    assert train[0]['bbox'].tolist() == [5, 6, 25, 16]
    assert train[1]['bbox'].tolist() == [2.5, 3.5, 2.5 + 10.4, 3.5 + 20.6]
    assert train[2]['bbox'].tolist() == [0, 4, 60, 30]  # sticks out by one pixel on three sides


def test_parts(root):
    train = load(root)
    np.testing.assert_array_equal(train[1]['parts'], [[30, 1.5, 1], [30, 2.5, 0]])
    assert train.metainfo['part_names'] == ('back', 'left eye')


def test_parts_do_not_depend_on_the_order_of_lines(root):
    write(root, 'parts/part_locs.txt', FILES['parts/part_locs.txt'][::-1])
    np.testing.assert_array_equal(load(root)[1]['parts'], [[30, 1.5, 1], [30, 2.5, 0]])


def test_parts_are_optional(root):
    (root / 'parts' / 'part_locs.txt').unlink()
    train = load(root)
    assert 'parts' not in train[0]
    assert 'part_names' not in train.metainfo


def test_class_names_come_from_the_folder_unless_given(root):
    assert load(root).metainfo['classes'] == ('Blue_Jay', 'House_Wren', 'Tree_Swallow')
    assert load(root, classes=('x', 'y', 'z')).metainfo['classes'] == ('x', 'y', 'z')


def test_a_label_is_the_position_of_its_class(root):
    write(root, 'classes.txt', FILES['classes.txt'][::-1])
    assert list(load(root).get_gt_labels()) == [2, 1, 0]


@pytest.mark.parametrize('name', [n for n in FILES if n != 'parts/part_locs.txt'])
def test_a_missing_file_is_named(root, name):
    (root / name).unlink()
    assert message(root).startswith(f'{root / name}: ')
    assert 'data_root should be the unpacked CUB_200_2011 folder' in message(root)


BROKEN = [
    ('classes.txt', 2, '2'),
    ('images.txt', 3, 'three b/3.jpg'),
    ('image_class_labels.txt', 2, '2 1 1'),
    ('image_class_labels.txt', 2, '2 one'),
    ('train_test_split.txt', 1, '1 2'),
    ('bounding_boxes.txt', 4, '4 1.0 1.0 9.0'),
    ('bounding_boxes.txt', 4, '4 1.0 1.0 9.0 9.0 9.0'),
    ('bounding_boxes.txt', 4, '4 1.0 nan 9.0 9.0'),
    ('parts/parts.txt', 1, 'back'),
    ('parts/part_locs.txt', 6, '3 2 30.0 2.5'),
    ('parts/part_locs.txt', 6, '3 2 30.0 2.5 yes'),
]
WRONG = [  # lines of the right form whose content cannot be
    ('images.txt', 2, '1 a/2.jpg', 'id 1 was given before'),
    ('image_class_labels.txt', 4, '4 4', 'class id 4 is not among the 3 of classes.txt'),
    ('image_class_labels.txt', 4, '4 0', 'class id 0 is not among the 3 of classes.txt'),
    ('image_class_labels.txt', 5, '6 3', 'id 5 has no entry in image_class_labels.txt'),
    ('train_test_split.txt', 5, '6 1', 'id 5 has no entry in train_test_split.txt'),
    ('bounding_boxes.txt', 5, '6 1.0 1.0 5.0 5.0', 'id 5 has no entry in bounding_boxes.txt'),
    ('parts/part_locs.txt', 6, '3 3 1.0 1.0 1', 'no part id 3'),
    ('parts/part_locs.txt', 6, '9 2 1.0 1.0 1', 'no image id 9'),
    ('bounding_boxes.txt', 3, '3 -2.1 3.0 9.0 9.0', 'x=-2.1 y=3 width=9 height=9'),
    ('bounding_boxes.txt', 3, '3 2.0 3.0 50.1 9.0', '50x64 pixels'),
    ('bounding_boxes.txt', 3, '3 2.0 3.0 9.0 64.0', 'b/3.jpg'),
    ('bounding_boxes.txt', 3, '3 2.0 3.0 0.0 9.0', 'empty'),
    ('bounding_boxes.txt', 3, '3 51.0 3.0 1.0 9.0', 'empty'),
]


def replace_line(root, name, number, line):
    lines = list(FILES[name])
    lines[number - 1] = line
    write(root, name, lines)


@pytest.mark.parametrize(('name', 'number', 'line'), BROKEN)
def test_a_broken_line_is_named(root, name, number, line):
    replace_line(root, name, number, line)
    assert message(root).startswith(f'{root / name}, line {number}: expected ')
    assert repr(line) in message(root)


@pytest.mark.parametrize(('name', 'number', 'line', 'text'), WRONG)
def test_a_wrong_line_is_named(root, name, number, line, text):
    replace_line(root, name, number, line)
    where = root / ('images.txt' if 'no entry' in text else name)
    assert message(root).startswith(f'{where}, line {number}: ')
    assert text in message(root)


def test_an_id_that_images_txt_does_not_know(root):
    write(root, 'bounding_boxes.txt', [*FILES['bounding_boxes.txt'], '6 1 1 5 5'])
    where = f'{root / "bounding_boxes.txt"}, line 6'
    assert message(root).startswith(f'{where}: id 6 has no entry in images.txt')


def test_a_part_without_a_line(root):
    write(root, 'parts/part_locs.txt', FILES['parts/part_locs.txt'][:-1])
    assert f'{root / "parts/part_locs.txt"}: image id 5 has not all 2 parts' in message(root)


def test_a_split_that_there_is_not(root):
    assert message(root, split='valid') == "dataset.split='valid': give train or test"


def test_a_root_that_is_no_folder(root):
    assert 'data_root is empty' in message('')
    assert 'is a file' in message(root / 'images.txt')


def test_a_byte_order_mark_is_not_seen(root):
    for file in ('images.txt', 'classes.txt'):
        text = (root / file).read_bytes()
        (root / file).write_bytes(b'\xef\xbb\xbf' + text)
    assert len(load(root)) == 3


def test_a_split_without_images(root):
    write(root, 'train_test_split.txt', [f'{i} 0' for i in range(1, 6)])
    assert 'no image is marked as train' in message(root)


def test_a_missing_image_is_named_with_the_line_that_lists_it(root):
    (root / 'images' / 'b' / '3.jpg').unlink()
    text = message(root)
    assert text.startswith(f'{root / "images.txt"}, line 3: ')
    assert str(root / 'images' / 'b' / '3.jpg') in text
    assert len(load(root, split='test')) == 2  # the other split does not need it


def test_a_file_that_is_no_image(root):
    (root / 'images' / 'b' / '3.jpg').write_text('bird')
    assert message(root).startswith(f'{root / "images.txt"}, line 3: ')


def datasets(name, root):
    """The data sets of a config, by loader, with the folder `root` as data_root."""
    config = Config.fromfile(CONFIGS / name)
    config.merge_from_dict(
        {
            f'{loader}_dataloader.{inner}.data_root': str(root)
            for loader, inner in [
                ('train', 'dataset.dataset'),
                ('push', 'dataset'),
                ('val', 'dataset'),
                ('test', 'dataset'),
            ]
        }
    )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return {
            loader: DATASETS.build(config[f'{loader}_dataloader'].dataset)
            for loader in ('train', 'push', 'val', 'test')
        }


@pytest.mark.parametrize('name', ['cub_cropped.py', 'cub_full.py'])
def test_configs_give_images_of_224_pixels(root, name):
    built = datasets(name, root)
    assert {k: len(v) for k, v in built.items()} == {'train': 90, 'push': 3, 'val': 2, 'test': 2}
    for dataset in built.values():
        for i in range(min(len(dataset), 9)):
            sample = dataset[i]
            assert sample['inputs'].shape == (3, 224, 224)
            assert sample['inputs'].dtype == torch.uint8
            assert (
                abs(sample['inputs'].float().mean(dim=(1, 2)) - torch.tensor([50, 100, 200])).max()
                < 3
            )  # blue, green, red; black corners would darken it


def test_only_the_cropped_config_crops_and_only_training_augments(root):
    cropped, full = datasets('cub_cropped.py', root), datasets('cub_full.py', root)
    for loader in cropped:
        steps, whole = (
            [type(t).__name__ for t in getattr(d[loader], 'dataset', d[loader]).pipeline.transforms]
            for d in (cropped, full)
        )
        assert steps[1] == 'CropToBox'
        assert whole == [step for step in steps if step != 'CropToBox']
        assert ('RandomChoice' in steps) == ('RandomFlip' in steps) == (loader == 'train')
    assert cropped['push'][0]['data_samples'].crop_box == (5, 6, 25, 16)
    assert 'crop_box' not in full['push'][0]['data_samples']


def test_config_settings():
    config = Config.fromfile(CONFIGS / 'cub_cropped.py')
    loaders = [config[f'{k}_dataloader'] for k in ('train', 'push', 'val', 'test')]
    assert [loader.batch_size for loader in loaders] == [80, 75, 100, 100]
    assert [loader.sampler.shuffle for loader in loaders] == [True, False, False, False]
    assert [loader.dataset.get('split', 'repeated') for loader in loaders] == [
        'repeated',
        'train',
        'test',
        'test',
    ]
    assert config.val_evaluator == config.test_evaluator == dict(type='Accuracy', topk=(1, 5))
