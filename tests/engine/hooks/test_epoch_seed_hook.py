"""A run that goes on draws what the unbroken one draws."""

import random

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS, MODELS
from torch import nn

from tests.toy import ArrayDataset, ConvBackbone, loader, train_config

EPOCHS = 6


@DATASETS.register_module()
class DrawingDataset(ArrayDataset):
    """Draws from Python, NumPy and torch, as augmentations do."""

    def __getitem__(self, index):
        sample = super().__getitem__(index)
        drawn = [random.randrange(256), np.random.randint(256), int(torch.randint(256, ()))]
        inputs = sample['inputs'].clone()
        inputs[0, 0, :3] = torch.tensor(drawn, dtype=torch.uint8)
        return {**sample, 'inputs': inputs}


@MODELS.register_module()
class DropoutBackbone(ConvBackbone):
    """Drops out, as stochastic depth does."""

    def forward(self, x):
        return (nn.functional.dropout(super().forward(x)[0], training=self.training),)


class WatchDraws(Hook):
    """Notes what every epoch has drawn: the images and the losses."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.epochs = {}

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        seen = self.epochs.setdefault(runner.epoch, [])
        seen.append((data_batch['inputs'].clone(), outputs['loss'].item()))

    def after_train_epoch(self, runner):
        runner.train_loop.stop_training = runner.epoch + 1 == self.stop_after


def draws(work_dir, name, seed=0, stop_after=None, workers=0, persistent=False, **changes):
    config = train_config(work_dir, randomness=dict(seed=seed), **changes)
    config['model']['backbone'] = dict(type='DropoutBackbone', channels=8)
    config['train_dataloader'] = {
        **loader(shuffle=True, num_workers=workers),
        'dataset': dict(type='DrawingDataset'),
        'persistent_workers': persistent,
    }
    config['default_hooks']['sampler_seed'] = dict(type='EpochSeedHook')
    config['experiment_name'] = f'{work_dir.name}_{name}'
    runner, watch = Runner.from_cfg(config), WatchDraws(stop_after)
    runner.register_hook(watch)
    runner.train()
    runner.train_loop.dataloader._iterator = None  # left to the garbage, workers wait for 5 s each
    return watch.epochs


def equal(one, other):
    return all(
        torch.equal(a, b) and loss == loss_too for (a, loss), (b, loss_too) in zip(one, other)
    )


@pytest.mark.parametrize(
    ('workers', 'persistent', 'seed'),
    [(0, False, 0), (2, False, 0), (2, True, 0), (0, False, None)],
)
def test_a_run_that_goes_on_draws_what_the_unbroken_one_does(tmp_path, workers, persistent, seed):
    settings = dict(workers=workers, persistent=persistent, seed=seed)
    cut = draws(tmp_path, 'cut', stop_after=3, **settings)
    before = draws(tmp_path, 'resumed', resume=True, **settings)
    if seed is None:  # the checkpoint keeps the seeds that were drawn
        again = draws(
            tmp_path, 'again', resume=True, load_from=f'{tmp_path}/epoch_3.pth', seed=None
        )
        whole = {**cut, **again}
    else:
        whole = draws(tmp_path / 'whole', 'whole', **settings)
    assert [*cut, *before] == [*range(EPOCHS)]
    for epoch, seen in {**cut, **before}.items():
        assert len(seen) == 3
        assert equal(seen, whole[epoch]), epoch


@pytest.mark.parametrize('workers', [0, 2])
def test_no_epoch_and_no_worker_draws_what_another_does(tmp_path, workers):
    epochs = draws(tmp_path, 'run', workers=workers, persistent=workers > 0)
    drawn = [
        tuple(image[0, 0, :3].tolist())
        for seen in epochs.values()
        for batch, _ in seen
        for image in batch
    ]
    assert len(drawn) == EPOCHS * 12
    assert len({*drawn}) == len(drawn)
