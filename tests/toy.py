"""A backbone and a data set small enough for tests, registered as a user would."""

import copy
import json
import os
import signal
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModule
from mmpretrain.registry import DATASETS, HOOKS, MODELS
from mmpretrain.structures import DataSample
from torch import nn

from mmproto.models import Similarity

DATA = Path(__file__).parent / 'data'

# What trains and how, as in every shipped config.
RECIPE = Config.fromfile(
    Path(__file__).parents[1] / 'configs/_base_/schedules/protopnet.py'
).to_dict()
STAGES = RECIPE['optim_wrapper']['stages']


@MODELS.register_module()
class ConvBackbone(BaseModule):
    """One 3x3 stride-2 convolution, batch norm if asked for, ReLU: that of the golden figures."""

    def __init__(self, channels, batch_norm=False):
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(channels) if batch_norm else nn.Identity()

    def forward(self, x):
        return (self.bn(self.conv(x)).relu(),)


@DATASETS.register_module()
class ArrayDataset(torch.utils.data.Dataset):
    """Images (N, S, S, 3) and labels (N,) out of an .npz file, or random ones of a seed."""

    def __init__(self, file=None, split='train', seed=0, num_classes=3, count=12, size=16):
        if file is not None:
            arrays = np.load(file)
            self.images, self.labels = arrays[f'{split}/images'], arrays[f'{split}/labels']
        else:
            rng = np.random.default_rng(seed)
            self.images = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
            self.labels = np.arange(count) % num_classes
        classes = tuple(f'class {label}' for label in range(int(self.labels.max()) + 1))
        self.metainfo = dict(classes=classes)

    def __len__(self):
        return len(self.images)

    def get_data_info(self, index):
        return dict(gt_label=int(self.labels[index]), img_path=f'{index}.png')

    def __getitem__(self, index):
        sample = DataSample().set_gt_label(int(self.labels[index]))
        return dict(
            inputs=torch.from_numpy(self.images[index]).permute(2, 0, 1), data_samples=sample
        )


@DATASETS.register_module()
class NoisyDataset(ArrayDataset):
    """Gives another image each time, as augmentation does."""

    def __getitem__(self, index):
        sample = super().__getitem__(index)
        noise = torch.from_numpy(np.random.randint(0, 2, (16, 16), dtype=np.uint8))
        return {**sample, 'inputs': sample['inputs'] // 2 + noise}


@DATASETS.register_module()
class GreyDataset(ArrayDataset):
    """One channel, and no files."""

    def get_data_info(self, index):
        return dict(gt_label=int(self.labels[index]))

    def __getitem__(self, index):
        sample = super().__getitem__(index)
        return {**sample, 'inputs': sample['inputs'][:1]}


@DATASETS.register_module()
class UnevenDataset(ArrayDataset):
    """Its third image is smaller."""

    def __getitem__(self, index):
        sample = super().__getitem__(index)
        return {**sample, 'inputs': sample['inputs'][:, : 14 if index == 2 else 16]}


@MODELS.register_module()
class ManhattanSimilarity(Similarity):
    """Nothing but the equations, as a user would write them: exp(-|z - p|), at most 1."""

    def distance(self, patches, prototypes):
        return (patches - prototypes).abs().sum(-1)

    def score(self, distances, labels=None, prototype_class=None):
        return torch.exp(-distances)


@HOOKS.register_module()
class StopsItself(Hook):
    """Stops the process of a rank as Ctrl-Z does, after so many iterations."""

    def __init__(self, rank, iteration):
        self.rank, self.iteration = rank, iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.rank == self.rank and runner.iter + 1 == self.iteration:
            print(f'process {os.getpid()} stops itself', flush=True)
            os.kill(os.getpid(), signal.SIGSTOP)


SIMILARITIES = ['log', 'linear', 'cosine', dict(type='ManhattanSimilarity')]


def loader(batch_size=4, shuffle=False, num_workers=0, **dataset):
    return dict(
        batch_size=batch_size,
        num_workers=num_workers,
        dataset=dict(type='ArrayDataset', **dataset),
        sampler=dict(type='DefaultSampler', shuffle=shuffle),
        collate_fn=dict(type='default_collate'),
    )


def model_config(**changes):
    """A small ProtoPNet; ``changes`` go to the head."""
    head = dict(type='ProtoPNetHead', num_classes=3, in_channels=6, prototypes_per_class=2)
    return dict(
        type='ProtoPNet',
        data_preprocessor=dict(mean=[0, 0, 0], std=[255, 255, 255]),
        backbone=dict(type='ConvBackbone', channels=8, batch_norm=True),
        neck=dict(type='ProtoPNetAddOn', out_channels=head['in_channels']),
        head={**head, **changes},
    )


def train_config(work_dir, **changes):
    """A whole training on the CPU: 2 warm, 2 joint, push, 2 last layer."""
    config = dict(
        model=model_config(),
        work_dir=str(work_dir),
        train_dataloader=loader(shuffle=True),
        push_dataloader=loader(),
        val_dataloader=loader(seed=1),
        val_evaluator=dict(type='Accuracy'),
        val_cfg=dict(),
        train_cfg=dict(type='StagedTrainLoop'),
        optim_wrapper={
            **copy.deepcopy(RECIPE['optim_wrapper']),
            'schedule': dict(warm_epochs=2, epochs=4, push_epochs=[3], last_layer_epochs=2),
            # Without the paper's norm_eval=False: prototypes stay patches.
            'stages': {**copy.deepcopy(STAGES), 'last_layer': dict(last_layer=dict(lr=1e-4))},
        },
        default_hooks=dict(
            param_scheduler=dict(type='StagedParamSchedulerHook'),
            checkpoint=dict(type='PushedCheckpointHook', interval=1, save_best='auto'),
        ),
        custom_hooks=[dict(type='PrototypePushHook'), dict(type='SolverHook')],
        default_scope='mmpretrain',
        randomness=dict(seed=0),
        log_level='WARNING',
        experiment_name=Path(work_dir).name,
    )
    return {**config, **changes}


def golden(name):
    """The arrays of a golden file, and its sizes."""
    arrays = dict(np.load(DATA / f'{name}.npz'))
    return arrays, json.loads(str(arrays.pop('meta')))


def our_name(name):
    """The reference's name of a weight, in our state dict."""
    if name.startswith('features.'):
        return name.replace('features.', 'backbone.')
    return f'neck.{name}' if name.startswith('add_on_layers.') else f'head.{name}'


def golden_weights(arrays, prefix='state/'):
    """The weights under a prefix of a golden file, by our names."""
    return {
        our_name(key[len(prefix) :]): torch.from_numpy(value)
        for key, value in arrays.items()
        if key.startswith(prefix) and not key.endswith(('/ones', 'test_accuracy'))
    }


def golden_config(meta, weights):
    """The config of the model that has these weights."""
    classes = meta['num_classes']
    return dict(
        type='ProtoPNet',
        data_preprocessor=dict(mean=[0, 0, 0], std=[255, 255, 255]),
        backbone=dict(
            type='ConvBackbone',
            channels=len(weights['backbone.conv.weight']),
            batch_norm='backbone.bn.weight' in weights,
        ),
        neck=dict(
            type='ProtoPNetAddOn', out_channels=meta['prototype_channels'], kind=meta['add_on']
        ),
        head=dict(
            type='ProtoPNetHead',
            num_classes=classes,
            in_channels=meta['prototype_channels'],
            prototypes_per_class=len(weights['head.prototype_vectors']) // classes,
            prototype_size=meta['prototype_size'],
            similarity=meta['activation'],
        ),
    )


def load_weights(model, weights):
    """Load golden weights; only what the reference does not keep may be missing."""
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not unexpected
    assert all(name.startswith('head.prototype') for name in missing)
    return model


def golden_model(arrays, meta):
    """The model of a golden file, before it is trained."""
    weights = golden_weights(arrays)
    return load_weights(MODELS.build(golden_config(meta, weights)), weights)
