"""What docs/mmpretrain.md says to work and no other test tries: a short training with each."""

import copy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpretrain import FeatureExtractor, get_model

from mmproto.apis.config_check.checks import check_config
from mmproto.datasets.birds import make_birds
from mmproto.datasets.checks import image_paths, labels_of
from mmproto.engine import PrototypePushHook
from mmproto.errors import InputError
from tests.toy import loader, train_config

CLASSES = 12

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def birds(tmp_path_factory):
    return make_birds(tmp_path_factory.mktemp('data') / 'birds', train=3, test=1, size=64)


@pytest.fixture
def config(birds, tmp_path):
    """A whole training of a small model on birds, which are a data set of MMPretrain's kind."""
    config = train_config(tmp_path, log_level='ERROR')
    config['model']['head']['num_classes'] = CLASSES
    config['model']['data_preprocessor']['num_classes'] = CLASSES
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(16, 16)),
        dict(type='PackInputs'),
    ]
    for name in ('train', 'push', 'val'):
        dataset = dict(type='AnnotatedCUB', data_root=str(birds), split='train', pipeline=pipeline)
        config[f'{name}_dataloader'] = loader(batch_size=12, shuffle=name == 'train')
        config[f'{name}_dataloader']['dataset'] = dataset
    return config


def train(config):
    """The trained model, whose prototypes have to be training patches at the end."""
    assert check_config(Config(copy.deepcopy(config))) == []
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.epoch == 6
    assert bool(runner.model.head.prototypes_are_patches)
    return runner


def twice(dataset):
    return dict(type='ConcatDataset', datasets=[dataset, dict(dataset)])


def balanced(dataset):
    return dict(type='ClassBalancedDataset', oversample_thr=0.5, dataset=dataset)


def repeated(dataset):
    return dict(type='RepeatDataset', times=2, dataset=dataset)


@pytest.mark.parametrize('name', ['train', 'push'])
@pytest.mark.parametrize('wrapper', [twice, balanced, repeated])
def test_wrapped_data_sets(config, wrapper, name):
    config[f'{name}_dataloader']['dataset'] = wrapper(config[f'{name}_dataloader']['dataset'])
    runner = train(config)
    push = next(hook for hook in runner.hooks if isinstance(hook, PrototypePushHook))
    head, labels = runner.model.head, torch.from_numpy(labels_of(push.dataloader.dataset))
    assert torch.equal(labels[head.prototype_image], head.prototype_class)


def test_a_fold_of_a_data_set(config):
    fold = dict(fold=0, num_splits=3, seed=2, dataset=config['train_dataloader']['dataset'])
    config['train_dataloader']['dataset'] = dict(type='KFoldDataset', **fold)
    config['val_dataloader']['dataset'] = dict(type='KFoldDataset', **fold, test_mode=True)
    runner = train(config)
    training, validation = (
        {*image_paths(loader.dataset)}
        for loader in (runner.train_dataloader, runner.val_dataloader)
    )
    pushed = image_paths(PrototypePushHook.of(runner).dataloader.dataset)
    assert (len(training), len(validation)) == (24, 12)
    assert {*pushed} == training
    assert not {*pushed} & validation


def test_further_samplers_and_transforms(config):
    config['train_dataloader']['sampler'] = dict(type='RepeatAugSampler')
    pipeline = list(config['train_dataloader']['dataset']['pipeline'])
    policy = dict(policies='timm_increasing', num_policies=2, magnitude_level=5)
    pipeline.insert(1, dict(type='RandAugment', **policy))
    pipeline.insert(-1, dict(type='RandomErasing', erase_prob=0.5))
    config['train_dataloader']['dataset'] = {
        **config['train_dataloader']['dataset'],
        'pipeline': pipeline,
    }
    train(config)


@pytest.mark.parametrize('augment', ['Mixup', 'CutMix'])
def test_mixed_images_are_refused(config, augment):
    config['model']['train_cfg'] = dict(augments=[dict(type=augment, alpha=1.0)])
    with pytest.raises(InputError, match='remove the batch augmentations'):
        Runner.from_cfg(config).train()


@pytest.mark.parametrize(
    'optimizer',
    [dict(type='SGD', momentum=0.9), dict(type='AdamW'), dict(type='Lamb')],
)
def test_other_optimizers(config, optimizer):
    config['optim_wrapper']['optimizer'] = optimizer
    train(config)


@pytest.mark.parametrize(
    'schedulers',
    [
        dict(
            warm=[dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=3)],
            joint=[dict(type='CosineAnnealingLR', T_max=2)],
        ),
        [dict(type='StepLR', step_size=1, gamma=0.5)],
    ],
)
def test_schedulers_for_each_stage_or_one_list_for_all(config, schedulers):
    config['param_scheduler'] = schedulers
    train(config)


@pytest.mark.parametrize(
    'hook',
    [
        dict(type='PreciseBNHook', num_samples=8),
        dict(type='SwitchRecipeHook', schedule=[dict(action_epoch=2, train_augments=None)]),
        dict(type='PushedEMAHook', momentum=0.1),
    ],
)
def test_hooks_beside_the_push(config, hook):
    config['custom_hooks'].insert(0, hook)
    train(config)


def test_several_metrics(config):
    metrics = ('Accuracy', 'SingleLabelMetric', 'ConfusionMatrix')
    config['val_evaluator'] = [dict(type=name) for name in metrics]
    figures = train(config).val_loop.run()
    assert {name.split('/')[0] for name in figures} == {
        'accuracy',
        'single-label',
        'confusion_matrix',
    }
    matrix = figures['confusion_matrix/result']
    assert 100 * matrix.trace() / matrix.sum() == pytest.approx(figures['accuracy/top1'])


def test_features_are_extracted():
    model = get_model('protopnet_resnet10t_birds')
    image = np.zeros((64, 64, 3), np.uint8)
    ((neck,),) = FeatureExtractor(model)(image)
    ((backbone,),) = FeatureExtractor(model)(image, stage='backbone')
    assert neck.shape == torch.Size([64, 6, 6])
    assert backbone.shape == torch.Size([256, 6, 6])
