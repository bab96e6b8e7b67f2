import logging
import os
import shutil

import numpy as np
import pytest
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS
from PIL import Image

from mmproto.datasets.birds import make_birds
from mmproto.datasets.checks import image_groups, image_paths
from mmproto.engine.hooks.split_check_hook import shared_files, shared_groups
from tests.toy import train_config

RNG = np.random.default_rng(0)


def draw(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (9, 7), dtype=np.uint8)).save(path)
    return str(path)


def test_images_by_path_and_by_bytes(tmp_path):
    train = [draw(tmp_path / 'train' / f'{i}.png') for i in range(4)]
    val = [draw(tmp_path / 'val' / f'{i}.png') for i in range(3)]
    assert shared_files(train, val, 'validation') == ''
    twin = tmp_path / 'val' / 'twin.png'
    twin.write_bytes((tmp_path / 'train' / '2.png').read_bytes())
    text = shared_files(train, [*val, str(twin)], 'validation')
    assert text.startswith('1 of 4 validation images are training images as well, such as')
    assert f'{twin}, which is the same file as {train[2]}:' in text
    text = shared_files(train, [*val, train[0]], 'test')
    assert f'1 of 4 test images are training images as well, such as {train[0]}: the' in text


def config_of(root):
    """Loaders of a folder, and what is asked of a runner before it trains."""

    def dataset(split):
        return dict(
            type='FolderDataset', data_root=str(root), split=split,
            pipeline=[
                dict(type='LoadPicture'),
                dict(type='Resize', scale=(16, 16)),
                dict(type='PackInputs'),
            ],
        )  # fmt: skip

    def loader(split, shuffle=False):
        return dict(
            batch_size=4, num_workers=0, dataset=dataset(split),
            collate_fn=dict(type='default_collate'),
            sampler=dict(type='DefaultSampler', shuffle=shuffle),
        )  # fmt: skip

    return dict(
        train_dataloader=loader('train', shuffle=True), push_dataloader=loader('train'),
        val_dataloader=loader('val'), test_dataloader=loader('test'),
        test_cfg=dict(), test_evaluator=dict(type='Accuracy'),
    )  # fmt: skip


def warnings_of(work_dir, config, **changes):
    """What a training is warned of before its first epoch."""
    config = train_config(work_dir, experiment_name=str(work_dir)[-40:], **config, **changes)
    config['custom_hooks'].append(dict(type='SplitCheckHook'))
    runner = Runner.from_cfg(config)
    warnings = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: warnings.append(record.getMessage())
    runner.logger.addHandler(handler)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    if runner._val_loop is not None:
        runner._val_loop = runner.build_val_loop(runner._val_loop)
    runner.call_hook('before_train')
    said = ('as well', 'groups', 'save_best')
    return [text for text in warnings if any(word in text for word in said)]


def images_in(root, *splits):
    """Four images of each of three classes, of two patients each, in each split."""
    for split in splits:
        for name in 'abc':
            for i in range(4):
                draw(root / split / name / f'{split}{i // 2}_{i}.png')
    return root


@pytest.mark.parametrize('others', [['test'], ['val', 'test']])
def test_a_training_begins_with_the_warnings(tmp_path, others):
    root = images_in(tmp_path / 'data', 'train', *others)
    twin = root / others[0] / 'b' / 'twin.png'
    twin.write_bytes((root / 'train' / 'a' / 'train0_0.png').read_bytes())
    warnings = warnings_of(tmp_path / 'work', config_of(root))
    copies = [text for text in warnings if 'training images as well' in text]
    assert len(copies) == 1
    assert '1 of 13 validation images' in copies[0]
    assert any('save_best picks' in text for text in warnings) == (others == ['test'])


@pytest.mark.parametrize('link', [os.link, os.symlink])
def test_a_link_is_the_same_file(tmp_path, link):
    root = images_in(tmp_path / 'data', 'train', 'val', 'test')
    link(root / 'train' / 'a' / 'train0_0.png', root / 'test' / 'c' / 'another.png')
    (text,) = warnings_of(tmp_path / 'work', config_of(root))
    assert '1 of 13 test images are training images as well' in text


def test_without_a_validation_the_test_set_is_still_compared(tmp_path):
    root = images_in(tmp_path / 'data', 'train', 'test')
    twin = root / 'test' / 'b' / 'twin.png'
    twin.write_bytes((root / 'train' / 'a' / 'train0_0.png').read_bytes())
    config = {**config_of(root), 'val_dataloader': None}
    (text,) = warnings_of(tmp_path / 'work', config, val_evaluator=None, val_cfg=None)
    assert '1 of 13 test images' in text


def test_a_push_set_with_validation_images(tmp_path):
    root = images_in(tmp_path / 'data', 'train', 'val', 'test')
    config = config_of(root)
    config['push_dataloader']['dataset']['split'] = 'all'
    validation, test = warnings_of(tmp_path / 'work', config)
    assert '12 of 12 validation images are push images as well' in validation
    assert '12 of 12 test images are push images as well' in test


def test_folds_part_a_patient(tmp_path):
    root = images_in(tmp_path / 'data', 'train', 'val')
    config = config_of(root)
    for name, test_mode in (('train', False), ('val', True), ('test', True)):
        inner = {
            **config[f'{name}_dataloader']['dataset'],
            'split': 'train',
            'group': '(train.|val.)_',
        }
        config[f'{name}_dataloader']['dataset'] = dict(
            type='KFoldDataset', fold=0, num_splits=3, seed=0, test_mode=test_mode, dataset=inner
        )
    config['push_dataloader']['dataset']['group'] = '(train.|val.)_'
    found = warnings_of(tmp_path / 'work', config)
    assert not any('images as well' in text for text in found)
    assert (
        '2 groups (dataset.group) have training and validation images, such as train0' in found[0]
    )


def test_a_list_a_multi_label_list_and_cub(tmp_path):
    """Each kind of data set names its images."""
    root = make_birds(tmp_path / 'birds', classes=3, train=2, test=1, size=64)
    cub = [
        DATASETS.build(dict(type='AnnotatedCUB', data_root=str(root), split=s, pipeline=[]))
        for s in ('train', 'test')
    ]
    assert not shared_files(*map(image_paths, cub), 'test')
    first, second = image_paths(cub[0])[0], image_paths(cub[1])[0]
    shutil.copy(first, second)
    assert f'{second}, which is the same file as {first}' in (
        shared_files(*map(image_paths, cub), 'test')
    )
    for kind, labels in (('FolderDataset', '01'), ('MultiLabelFolderDataset', ['0,1', '-'])):
        folder = tmp_path / kind
        lines = [f'{draw(folder / f"{i}.png")[len(str(folder)) + 1:]} {labels[i % 2]}\tp{i // 2}'
                 for i in range(12)]  # fmt: skip
        (folder / 'annotations.txt').write_text('\n'.join(lines))
        (folder / 'classes.txt').write_text('a\nb')
        train, val = (
            DATASETS.build(dict(type=kind, data_root=str(folder), split=split, pipeline=[]))
            for split in ('train', 'val')
        )
        assert not shared_files(image_paths(train), image_paths(val), 'validation')
        assert not shared_groups(train, val, 'validation')
        assert image_groups(train) | image_groups(val) == {f'p{i}' for i in range(6)}
        assert shared_groups(train, train, 'validation').startswith(f'{len(image_groups(train))} g')
