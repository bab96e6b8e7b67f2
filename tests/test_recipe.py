"""The paper's settings, written out once more, against the whole config of its first network.

Whoever changes a setting of a config on purpose changes it here as well.
"""

import math
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

from mmproto.engine import build_schedule, build_stages
from mmproto.models.backbones.network_input import input_of_config

CONFIG = Path(__file__).parents[1] / 'configs/protopnet/vgg19_cub.py'

MODEL = dict(
    type='ProtoPNet',
    backbone=dict(
        type='TIMMBackbone',
        model_name='vgg19',
        features_only=True,
        out_indices=(-1,),
        pretrained=True,
    ),
    neck=dict(type='ProtoPNetAddOn', out_channels=128, kind='regular'),
)
HEAD = dict(
    type='ProtoPNetHead',
    num_classes=200,
    in_channels=128,
    prototypes_per_class=10,
    prototype_size=1,
    similarity='log',
)
LOSS = dict(
    type='ProtoPNetLoss',
    cls=dict(type='CrossEntropyCost', weight=1.0),
    cluster=dict(type='ClusterCost', weight=0.8),
    separation=dict(type='SeparationCost', weight=0.08),
    l1=dict(type='L1Cost', weight=1e-4),
)
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]

LOAD = [dict(type='LoadImageFromFile'), dict(type='CropToBox')]
RESIZE = dict(type='Resize', scale=(224, 224), backend='pillow', interpolation='bilinear')
TRAIN_PIPELINE = [
    *LOAD,
    dict(
        type='RandomChoice',
        transforms=[
            [dict(type='RandomRotate', max_angle=15)],
            [dict(type='RandomSkew', magnitude=0.2)],
            [dict(type='RandomShear', max_angle=10)],
        ],
    ),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    RESIZE,
    dict(type='PackInputs'),
]
META_KEYS = ('sample_idx', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'crop_box')
TEST_PIPELINE = [*LOAD, RESIZE, dict(type='PackInputs', meta_keys=META_KEYS)]


def images(split, pipeline):
    return dict(type='AnnotatedCUB', data_root='data/CUB_200_2011', split=split, pipeline=pipeline)


def loader(batch_size, dataset, shuffle=False):
    return dict(
        batch_size=batch_size,
        num_workers=5,
        dataset=dataset,
        sampler=dict(type='DefaultSampler', shuffle=shuffle),
    )


TEST_DATALOADER = loader(100, images('test', TEST_PIPELINE))
ACCURACY = dict(type='Accuracy', topk=(1, 5))
DATA = dict(
    data_preprocessor=dict(num_classes=200),  # mean and std are the network's
    train_dataloader=loader(
        80,
        dict(type='RepeatDataset', times=30, dataset=images('train', TRAIN_PIPELINE)),
        shuffle=True,
    ),
    push_dataloader=loader(75, images('train', TEST_PIPELINE)),
    val_dataloader=TEST_DATALOADER,
    test_dataloader=TEST_DATALOADER,
    val_evaluator=ACCURACY,
    test_evaluator=ACCURACY,
)

NECK, PROTOTYPES = dict(lr=3e-3, weight_decay=1e-3), dict(lr=3e-3)
OPTIM_WRAPPER = dict(
    type='OptimWrapper',
    constructor='ProtoPNetOptimWrapperConstructor',
    optimizer=dict(type='Adam'),
    stages=dict(
        warm=dict(neck=NECK, prototypes=PROTOTYPES),
        joint=dict(backbone=dict(lr=1e-4, weight_decay=1e-3), neck=NECK, prototypes=PROTOTYPES),
        last_layer=dict(norm_eval=False, last_layer=dict(lr=1e-4)),
    ),
)
# stage, epochs, whether a push follows
PHASES = [
    ('warm', 5, False),
    ('joint', 6, True),
    ('last_layer', 20, False),
    ('joint', 10, True),
    ('last_layer', 20, False),
    ('joint', 10, True),
    ('last_layer', 20, True),  # ours: the reference ends without it
]
DECAYS = [4, 9, 14, 19, 24]  # the joint epochs, from 0, that train at a tenth of the rate before


@pytest.fixture
def cfg(monkeypatch):
    for name in ('DATA_ROOT', 'SCALE'):
        monkeypatch.delenv(name, raising=False)
    return Config.fromfile(CONFIG).to_dict()


def test_the_model(cfg):
    head = cfg['model'].pop('head')
    assert head.pop('loss') == LOSS
    assert head == HEAD
    assert cfg['model'] == MODEL


def test_a_perfect_match_scores_what_epsilon_allows(cfg):
    head = MODELS.build({**cfg['model']['head'], 'num_classes': 3})
    prototype = head.prototype_vectors[:1].detach()
    score = head.pre_logits((prototype,))[0, 0].item()
    assert score == pytest.approx(math.log(1 / 1e-4), abs=1e-5)
    own = torch.arange(3)[:, None] == head.prototype_class
    assert torch.equal(head.last_layer.weight, torch.where(own, 1.0, -0.5))


def test_the_normalisation(cfg):
    network = input_of_config(cfg['model']['backbone'])
    assert (list(network.mean), list(network.std), network.to_rgb) == (MEAN, STD, True)


@pytest.mark.parametrize('part', DATA)
def test_the_data(cfg, part):
    assert cfg[part] == DATA[part]


def test_what_trains_and_how(cfg):
    del cfg['optim_wrapper']['schedule']
    assert cfg['optim_wrapper'] == OPTIM_WRAPPER
    assert cfg['auto_scale_lr'] == dict(base_batch_size=80)
    assert cfg['train_cfg'] == dict(type='StagedTrainLoop', val_interval=1)


def test_the_schedule(cfg):
    stages = build_stages(cfg['optim_wrapper']['stages'])
    schedule = build_schedule(cfg['optim_wrapper']['schedule'], stages, tunes_last_layer=True)
    assert [(phase.stage, phase.epochs, phase.push) for phase in schedule.phases] == PHASES
    assert sorted(schedule.pushes) == [10, 40, 70, 90]


def test_the_decay(cfg):
    (decay,) = cfg['param_scheduler'].pop('joint')
    milestones = decay.pop('milestones')
    assert decay == dict(type='MultiStepLR', gamma=0.1)
    assert [epoch for epoch in milestones if epoch < 26] == DECAYS
    assert cfg['param_scheduler'] == dict(warm=[], last_layer=[])
