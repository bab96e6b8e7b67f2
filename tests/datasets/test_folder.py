"""A folder of anybody's images: what is found, how it is split, and what is answered."""

import io
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmpretrain.registry import DATASETS
from PIL import Image

from mmproto.datasets.folder import FolderDataset, folder_classes
from mmproto.datasets.folder_layout import LabelledImage
from mmproto.datasets.folder_split import held_out
from mmproto.errors import InputError

ROOT = Path(__file__).parents[2]
GOLDEN = ['a/3.png', 'b/4.png']


def draw(path, size=(9, 7)):
    """One grey for all, but no two files alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('L', size, 90).save(path)
    if path.suffix == '.png':
        path.write_bytes(path.read_bytes() + str(path).encode())


def folder(root, **counts):
    """Class folders with so many images."""
    for name, count in counts.items():
        for i in range(count):
            draw(root / name / f'{i}.png')
    return root


def listed(root, text, **counts):
    folder(root, **counts)
    (root / 'annotations.txt').write_text(text)
    return root


def names(dataset):
    return [
        Path(info['img_path']).relative_to(dataset.data_root).as_posix()
        for info in map(dataset.get_data_info, range(len(dataset)))
    ]


def message(root, **settings):
    with pytest.raises(InputError) as error:
        FolderDataset(str(root), **settings)
    assert '\n' not in str(error.value)
    return str(error.value)


def test_class_folders_give_classes_labels_and_a_stratified_split(tmp_path):
    folder(tmp_path, b=10, a=2, c=23)
    draw(tmp_path / 'c' / 'deeper' / 'd.TIFF')
    draw(tmp_path / '.hidden' / 'd.png')
    (tmp_path / 'a' / 'notes.txt').touch()
    draw(tmp_path / 'a' / '.thumbnail.png')
    draw(tmp_path / 'a' / '.ipynb_checkpoints' / '0.png')
    assert folder_classes(str(tmp_path)) == ('a', 'b', 'c')
    train, val, test, everything = (
        FolderDataset(str(tmp_path), split=split) for split in ('train', 'val', 'test', 'all')
    )
    assert train.metainfo['classes'] == ('a', 'b', 'c')
    assert Counter(val.get_gt_labels().tolist()) == {0: 1, 1: 2, 2: 5}
    assert Counter(train.get_gt_labels().tolist()) == {0: 1, 1: 8, 2: 19}
    assert names(val) == names(test)
    assert sorted(names(train) + names(val)) == sorted(names(everything))
    assert len(everything) == 36
    for name, label in zip(names(train), train.get_gt_labels()):
        assert name[0] == 'abc'[label]


def test_classes_that_are_given_have_to_be_those_of_the_data(tmp_path):
    folder(tmp_path, a=4, b=4)
    for settings in (dict(classes=['b', 'a']), dict(metainfo=dict(classes=('a', 'c')))):
        assert "has the classes ('a', 'b')" in message(tmp_path, **settings)
    for settings in (dict(classes=['a', 'b']), dict(metainfo=dict(classes=('a', 'b'), by='me'))):
        assert tuple(FolderDataset(str(tmp_path), **settings).metainfo['classes']) == ('a', 'b')


@pytest.mark.parametrize(
    'settings',
    [
        dict(extensions=('.png',)),
        dict(with_label=False),
        dict(filter_cfg=dict(size=1)),
        dict(data_prefix='a'),
    ],
)
def test_settings_that_are_not_heeded_are_refused(tmp_path, settings):
    folder(tmp_path, a=4, b=4)
    assert f'dataset.{next(iter(settings))}' in message(tmp_path, **settings)


def test_the_seed_draws_another_split(tmp_path):
    folder(tmp_path, a=20, b=20)
    first, again, other = (
        names(FolderDataset(str(tmp_path), split='val', seed=seed)) for seed in (0, 0, 1)
    )
    assert first == again != other
    assert len(first) == len(other) == 8


@given(
    counts=st.lists(st.integers(2, 40), min_size=2, max_size=4),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 9),
    order=st.randoms(use_true_random=False),
)
def test_the_draw_knows_no_order_and_leaves_no_class_out(counts, share, seed, order):
    classes = tuple('abcd'[: len(counts)])
    images = [
        LabelledImage('', label, f'{classes[label]}/{i}.png')
        for label, count in enumerate(counts)
        for i in range(count)
    ]
    drawn = held_out(images, share, seed)
    order.shuffle(images)
    assert held_out(images, share, seed) == drawn
    for label, count in enumerate(counts):
        inside = sum(image.name in drawn for image in images if image.label == label)
        assert 1 <= inside <= count - 1
        assert abs(inside - share * count) <= 1


def test_another_process_draws_the_same(tmp_path):
    folder(tmp_path, a=9, b=9)
    code = (
        'import sys; from mmproto.datasets import FolderDataset; '
        "d = FolderDataset(sys.argv[1], split='val'); "
        "print(*[d.get_data_info(i)['img_path'] for i in range(len(d))])"
    )
    done = subprocess.run(
        [sys.executable, '-c', code, tmp_path], cwd=ROOT, capture_output=True, text=True,
        check=True, env={**os.environ, 'PYTHONHASHSEED': '7'},
    )  # fmt: skip
    paths = done.stdout.split()
    assert [Path(path).relative_to(tmp_path).as_posix() for path in paths] == names(
        FolderDataset(str(tmp_path), split='val')
    )


def test_this_split_stays_as_it_is_for_good(tmp_path):
    """A trained model is tested with the images that it has not seen, in later versions too."""
    folder(tmp_path, a=6, b=6)
    assert names(FolderDataset(str(tmp_path), split='val')) == GOLDEN


def split_by(root, *paths, **settings):
    for path in paths:
        draw(root / path)
    return [set(names(FolderDataset(str(root), split=s, **settings))) for s in ('train', 'val')]


def test_a_patient_is_on_one_side(tmp_path):
    paths = [f'{c}/p{n}_{i}.png' for c in 'ab' for n in range(20) for i in range(1 + n % 3)]
    train, val = split_by(tmp_path, *paths, group=r'(p\d+)_')
    patients = [{name[2:].split('_')[0] for name in side} for side in (train, val)]
    assert patients[0].isdisjoint(patients[1])  # those of both classes too
    assert train | val == {*paths}
    for c in 'ab':
        assert 0.1 < sum(name[0] == c for name in val) / (len(paths) / 2) < 0.3
    assert split_by(tmp_path, group=r'p\d+(?=_)')[1] == val
    assert split_by(tmp_path, group=r'(p\d+)_', seed=1)[1] != val


def test_a_column_of_groups(tmp_path):
    lines = [f'x/{i}.png {i % 2}\tpatient {i // 4}' for i in range(40)]
    listed(tmp_path, '\n'.join(lines), x=40)
    train, val = split_by(tmp_path)
    of = [{int(Path(name).stem) // 4 for name in side} for side in (train, val)]
    assert of[0].isdisjoint(of[1])
    assert len(train | val) == 40
    assert len(of[1]) == 2
    assert 'has a column of groups already' in message(tmp_path, group='x')
    (tmp_path / 'annotations.txt').write_text('\n'.join([*lines[:-1], 'x/39.png 1']))
    assert 'image 40 (x/39.png 1) has no group' in message(tmp_path)


@pytest.mark.parametrize(
    ('group', 'answer'),
    [
        ('(', 'dataset.group=(: this is no regular expression'),
        ('^p(.)', 'dataset.group=^p(.) finds no group in a/0.png'),
        ('^[ab]', 'class a are of too few groups'),
    ],
)
def test_a_group_that_cannot_be(tmp_path, group, answer):
    assert answer in message(folder(tmp_path, a=4, b=4), group=group)


def test_a_group_in_two_folders_is_named(tmp_path):
    for path in ('train/a/p1_0', 'train/b/p2_0', 'val/a/p3_0', 'val/b/p2_1'):
        draw(tmp_path / f'{path}.png')
    for split in ('train', 'val'):
        text = message(tmp_path, group='(p.)_', split=split)
        assert 'the group p2 (dataset.group) is on two sides' in text
    assert len(FolderDataset(str(tmp_path))) == 2


def test_copies_of_a_file_are_on_one_side(tmp_path):
    folder(tmp_path, a=30, b=30)
    for i in range(15):
        copy = tmp_path / 'ab'[i % 2] / f'copy{i}.png'
        copy.write_bytes((tmp_path / 'a' / f'{i}.png').read_bytes())
    train, val = split_by(tmp_path)
    assert 12 <= len(val) <= 18
    contents = [{(tmp_path / name).read_bytes() for name in side} for side in (train, val)]
    assert contents[0].isdisjoint(contents[1])


def test_a_balanced_set_has_equally_many_of_all_classes(tmp_path):
    folder(tmp_path, a=23, b=5, c=11)
    dataset = FolderDataset(str(tmp_path), balance=True)
    assert {*Counter(dataset.get_gt_labels().tolist()).values()} == {18}
    counts = Counter(names(dataset))
    assert {*counts} == {*names(FolderDataset(str(tmp_path)))}
    for name in 'abc':
        times = {count for path, count in counts.items() if path[0] == name}
        assert max(times) - min(times) <= 1


@pytest.mark.parametrize('others', [['val'], ['test'], ['val', 'test']])
def test_a_split_of_ones_own_is_kept(tmp_path, others):
    folder(tmp_path / 'train', a=1, b=3)
    for n, other in enumerate(others, start=2):
        folder(tmp_path / other, a=n, b=1)
    assert folder_classes(str(tmp_path)) == ('a', 'b')
    datasets = {s: FolderDataset(str(tmp_path), split=s) for s in ('train', 'val', 'test', 'all')}
    assert names(datasets['train']) == ['train/a/0.png', 'train/b/0.png', 'train/b/1.png',
                                        'train/b/2.png']  # fmt: skip
    assert {name.split('/')[0] for name in names(datasets['val'])} == {others[0]}
    assert {name.split('/')[0] for name in names(datasets['test'])} == {others[-1]}
    assert len(datasets['all']) == 4 + sum(n + 1 for n, _ in enumerate(others, start=2))
    assert datasets['val'].get_gt_labels().tolist() == [0, 0, 1]


def test_images_of_trains_are_a_class(tmp_path):
    folder(tmp_path, train=2, tram=2)
    assert folder_classes(str(tmp_path)) == ('train', 'tram')


def test_an_annotation_file(tmp_path):
    lines = [f'x/{i}.png {i % 2}' for i in range(10)]
    listed(tmp_path, '\n'.join(['sub folder/0.png 1', *lines, '']), x=10)
    draw(tmp_path / 'sub folder' / '0.png')
    assert folder_classes(str(tmp_path)) == ('0', '1')
    (tmp_path / 'classes.txt').write_text('healthy\nill\n')
    train, val = (FolderDataset(str(tmp_path), split=split) for split in ('train', 'val'))
    assert train.metainfo['classes'] == ('healthy', 'ill')
    assert Counter([*train.get_gt_labels(), *val.get_gt_labels()]) == {0: 5, 1: 6}
    assert set(names(train)).isdisjoint(names(val))
    for dataset in (train, val):
        for name, label in zip(names(dataset), dataset.get_gt_labels()):
            assert label == (1 if ' ' in name else int(name[2]) % 2)


def test_an_annotation_file_of_another_name(tmp_path):
    listed(tmp_path, '', x=4)
    (tmp_path / 'mine.txt').write_text('0.png 0\n1.png 0\n2.png 1\n3.png 1\n')
    dataset = FolderDataset(str(tmp_path), 'mine.txt', split='all', data_prefix='x')
    assert names(dataset) == [f'x/{i}.png' for i in range(4)]
    assert 'there is no file' in message(tmp_path, ann_file='no.txt')


def test_an_annotation_file_of_another_name_in_a_relative_folder(tmp_path, monkeypatch):
    folder(tmp_path / 'data', x=2)
    (tmp_path / 'data' / 'mine.txt').write_text('x/0.png 0\nx/1.png 1\n')
    monkeypatch.chdir(tmp_path)
    assert len(FolderDataset('data', 'mine.txt', split='all')) == 2


def test_a_byte_order_mark_is_not_seen(tmp_path):
    folder(tmp_path, x=4)
    lines = ''.join(f'x/{i}.png {i % 2}\n' for i in range(4))
    (tmp_path / 'annotations.txt').write_text(lines, 'utf-8-sig')
    (tmp_path / 'classes.txt').write_text('healthy\nill\n', 'utf-8-sig')
    assert FolderDataset(str(tmp_path)).metainfo['classes'] == ('healthy', 'ill')


@pytest.mark.parametrize('name', ['annotations.txt', 'classes.txt'])
def test_a_list_that_is_no_utf8_is_named(tmp_path, name):
    listed(tmp_path, 'x/0.png 0\nx/1.png 1', x=2)
    (tmp_path / name).write_bytes('größer\n'.encode('latin-1'))
    assert f'{name}: this is no text in UTF-8' in message(tmp_path)


@pytest.mark.parametrize('spelling', ['./{}', 'x/../{}', '../data/{}', '{root}/{}'])
def test_a_image_has_one_name_however_it_is_spelled(tmp_path, spelling):
    root = folder(tmp_path / 'data', x=20)
    plain = [f'x/{i}.png' for i in range(20)]
    spelled = [spelling.format(name, root=root) for name in plain]
    sides = []
    for listing in (plain, spelled):
        lines = [f'{name} {i % 2}\n' for i, name in enumerate(listing)]
        (root / 'annotations.txt').write_text(''.join(lines))
        sides.append(names(FolderDataset(str(root), split='val')))
    assert sides[0] == sides[1]
    (root / 'annotations.txt').write_text(f'x/0.png 0\n{spelled[0]} 1\n')
    assert 'line 2: x/0.png was listed before' in message(root)


def test_an_absolute_path_out_of_the_folder_is_named(tmp_path):
    draw(tmp_path / 'else.png')
    root = listed(tmp_path / 'data', f'x/0.png 0\n{tmp_path}/else.png 1', x=1)
    assert f'line 2: {tmp_path}/else.png is not in {root}' in message(root)


@pytest.mark.parametrize(
    ('text', 'answer'),
    [
        ('x/0.png', "annotations.txt, line 1: expected 'path label'"),
        ('x/0.png 0\n\nx/1.png one', 'annotations.txt, line 3: expected'),
        ('x/0.png -1', 'line 1: expected'),
        ('x/0.png 0\nx/1.png 0\nx/2.png 1\nx/9.png 1', 'line 4: there is no image'),
        ('x/0.png 0\nx/0.png 1', 'line 2: x/0.png was listed before'),
        ('x/0.png 0\nx/1.png 2', 'no image has label 1 (1)'),
        ('x/0.png 0\nx/1.png 20000000000000', 'no image has label 1 (1)'),
        ('x/0.png 0\nx/1.png 0', 'one class only'),
        ('', 'lists no image'),
        ('x/0.png 0\nx/1.png 0\nx/2.png 1', 'class 1 has one image (x/2.png)'),
    ],
)
def test_a_broken_annotation_file_is_named_with_its_line(tmp_path, text, answer):
    assert answer in message(listed(tmp_path, text, x=4))


def test_two_classes_of_one_name_are_refused(tmp_path):
    folder(tmp_path, x=4)
    (tmp_path / 'annotations.txt').write_text('\n'.join(f'x/{i}.png {i % 2}' for i in range(4)))
    (tmp_path / 'classes.txt').write_text('a\na\n')
    assert 'names two classes a' in message(tmp_path)


def test_a_label_without_a_name(tmp_path):
    listed(tmp_path, 'x/0.png 0\nx/1.png 1\nx/2.png 2', x=3)
    (tmp_path / 'classes.txt').write_text('a\nb\n')
    assert 'line 3: label 2 is not among the 2 classes of' in message(tmp_path)


def test_a_folder_that_is_not_there_says_what_to_set(tmp_path):
    text = message(tmp_path / 'no')
    assert '/no: there is no such folder; set data_root' in text
    assert 'set data_root, or DATA_ROOT in the environment' in text


def test_no_class_folders_and_one(tmp_path):
    draw(tmp_path / '0.png')
    assert f'{tmp_path} has 0 class folders' in message(tmp_path)
    assert 'has 1 class folders' in message(folder(tmp_path, a=2))


def test_an_empty_class_folder_is_named(tmp_path):
    folder(tmp_path, a=2, b=2)
    (tmp_path / 'ill').mkdir()
    (tmp_path / 'ill' / '0.pdf').touch()
    assert f'the class folder {tmp_path}/ill has no images (.jpg' in message(tmp_path)


def test_images_of_formats_that_are_not_read_are_said_once(tmp_path):
    folder(tmp_path, a=3, b=3)
    for name in ('a/x.HEIC', 'b/x.svg', 'b/deep/y.heic', 'b/Thumbs.db', 'b/b.json', 'b/.y.psd'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    logger = MMLogger.get_instance('left_out')
    shown = io.StringIO()
    logger.handlers[0].setStream(shown)
    assert [len(FolderDataset(str(tmp_path), split=split)) for split in ('train', 'val')] == [4, 2]
    (line,) = shown.getvalue().splitlines()
    assert (
        f'{tmp_path}: 3 images are left out, as these formats are not read: 2 .heic, 1 .svg. C'
        in line
    )
    for image in (tmp_path / 'b').glob('*.png'):
        image.unlink()
    text = message(tmp_path)
    assert text.endswith(', .dicom) but 1 .heic, 1 .svg: convert these or remove the folder')


def test_a_class_with_one_image_is_named(tmp_path):
    folder(tmp_path, a=2, ill=1)
    assert 'class ill has one image (ill/0.png), which cannot be both' in message(tmp_path)
    assert len(FolderDataset(str(tmp_path), split='all')) == 3


def test_unreadable_images_are_named(tmp_path):
    folder(tmp_path, a=4, b=4)
    for i in range(4):
        (tmp_path / 'a' / f'{i}.png').write_bytes(b'no image %d' % i)
    text = message(tmp_path)
    assert text.startswith('3 of 6 files cannot be read as images: ')
    assert text.count(str(tmp_path / 'a')) == 3


def test_splits_that_do_not_fit_each_other(tmp_path):
    folder(tmp_path / 'train', a=2, b=2)
    folder(tmp_path / 'valid', a=2, b=2)
    assert 'name the other set val' in message(tmp_path)
    folder(tmp_path / 'val', a=2, c=2)
    assert f'{tmp_path}/val/c is a class that the training set has not' in message(
        tmp_path, split='val'
    )


@pytest.mark.parametrize('loose', [0, 2])
def test_a_split_without_class_folders_is_named(tmp_path, loose):
    folder(tmp_path / 'train', a=2, b=2)
    (tmp_path / 'val').mkdir()
    folder(tmp_path, val=loose)
    for split in ('train', 'val'):
        assert message(tmp_path, split=split).startswith(f'{tmp_path}/val has no class folders')


@pytest.mark.parametrize(
    ('settings', 'answer'),
    [
        (dict(split='dev'), "dataset.split='dev': give one of train, val, test, all"),
        (dict(val_share=0), 'dataset.val_share=0: give a share between 0 and 1'),
        (dict(val_share=20), 'dataset.val_share=20'),
    ],
)
def test_impossible_settings(tmp_path, settings, answer):
    assert answer in message(tmp_path, **settings)


@pytest.mark.parametrize('kind', ['protopnet', 'baseline'])
def test_the_config_reads_the_folder(tmp_path, monkeypatch, kind):
    folder(tmp_path, a=5, b=5, c=5)
    monkeypatch.setenv('DATA_ROOT', str(tmp_path))
    monkeypatch.setenv('SCALE', '48x32')
    cfg = Config.fromfile(ROOT / 'configs' / kind / 'resnet34_folder.py')
    assert cfg.model.head.num_classes == cfg.data_preprocessor.num_classes == 3
    parts = dict(train=12, push=12, val=3, test=3)
    sets = {name: DATASETS.build(cfg[f'{name}_dataloader'].dataset) for name in parts}
    assert len(sets['train']) == 204  # repeated to at least 200
    for name, count in parts.items():
        dataset = sets[name].dataset if name == 'train' else sets[name]
        assert len(dataset) == count
        inputs = dataset[0]['inputs']
        assert inputs.shape == (3, 32, 48)
        np.testing.assert_array_equal(inputs.numpy(), 90)


def test_the_config_without_a_folder_says_what_to_set(tmp_path, monkeypatch):
    monkeypatch.setenv('DATA_ROOT', str(tmp_path / 'no'))
    with pytest.raises(InputError, match='set data_root, or DATA_ROOT in the environment'):
        Config.fromfile(ROOT / 'configs' / 'protopnet' / 'resnet34_folder.py')
