import logging

import numpy as np
import pytest
from PIL import Image

from mmproto.engine.hooks.split_check_hook import shared_files

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


@pytest.mark.parametrize('others', [['test'], ['val', 'test']])
def test_a_training_begins_with_the_warnings(tmp_path, caplog, others):
    from mmengine.runner import Runner

    from tests.toy import train_config

    root = tmp_path / 'data'
    for split in ('train', *others):
        for name in 'abc':
            for i in range(4):
                draw(root / split / name / f'{i}.png')
    twin = root / others[0] / 'b' / 'twin.png'
    twin.write_bytes((root / 'train' / 'a' / '0.png').read_bytes())
    config = train_config(tmp_path / 'work', **config_of(root))
    config['custom_hooks'].append(dict(type='SplitCheckHook'))
    config['default_hooks'] = {
        **config.get('default_hooks', {}),
        'checkpoint': dict(type='PushedCheckpointHook', save_best='auto'),
    }
    runner = Runner.from_cfg(config)
    warnings = []
    handler = logging.Handler()
    handler.emit = lambda record: warnings.append(record.getMessage())
    runner.logger.addHandler(handler)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner._val_loop = runner.build_val_loop(runner._val_loop)
    next(h for h in runner.hooks if type(h).__name__ == 'SplitCheckHook').before_train(runner)
    copies = [text for text in warnings if 'training images as well' in text]
    assert len(copies) == 1
    assert '1 of 13 validation images' in copies[0]
    assert any('save_best picks' in text for text in warnings) == (others == ['test'])
