import io
import math

import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner import Runner, save_checkpoint
from mmpretrain.registry import MODELS
from timm import create_model

from mmproto.engine.optimizers import ProtoPNetOptimWrapperConstructor
from mmproto.engine.push import push_prototypes
from mmproto.errors import InputError
from mmproto.models.backbones.backbone_info import check_image_size
from tests.toy import STAGES, ArrayDataset, loader, model_config


def timm(name, **settings):
    return dict(
        type='TIMMBackbone', model_name=name, features_only=True, out_indices=(-1,), **settings
    )


def build(backbone, **preprocessor):
    config = model_config()
    config['data_preprocessor'].update(preprocessor)
    return MODELS.build({**config, 'backbone': backbone})


def joint_step(model, size):
    """One step of the joint stage on random images; returns the loss."""
    optim_wrapper = ProtoPNetOptimWrapperConstructor(
        dict(type='OptimWrapper', optimizer=dict(type='Adam'), schedule={}, stages=STAGES)
    )(model)
    model.train()
    optim_wrapper.activate('joint', model, iterations=1)
    samples = [ArrayDataset(count=3, size=size)[index] for index in range(3)]
    data = {key: [sample[key] for sample in samples] for key in ('inputs', 'data_samples')}
    return model.train_step(data, optim_wrapper)['loss'].item()


def reload(model, backbone):
    """A new model with the saved weights of this one."""
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    fresh = build(backbone)
    fresh.load_state_dict(torch.load(file))
    fresh.eval()
    return fresh


def check_everything(backbone, size):
    """A training step moves the backbone; prototypes become patches; weights load again."""
    torch.manual_seed(0)
    model = build(backbone)
    before = [weight.detach().clone() for weight in model.backbone.parameters()]
    assert math.isfinite(joint_step(model, size))
    assert not all(map(torch.equal, before, model.backbone.parameters()))
    push_prototypes(model, Runner.build_dataloader(loader(count=3, size=size)))
    assert bool(model.head.prototypes_are_patches)
    images = torch.rand(1, 3, size, size)
    assert torch.equal(model(images), reload(model, backbone)(images))


@pytest.mark.parametrize(
    ('name', 'size', 'settings'),
    [
        ('test_resnet', 64, {}),
        ('test_efficientnet', 64, {}),
        ('test_convnext', 64, {}),
        ('test_vit', 64, dict(img_size=64)),
        ('test_mambaout', 64, {}),
        ('mobilenetv3_small_050', 64, {}),
        ('deit_tiny_distilled_patch16_224', 64, dict(img_size=64, depth=2)),
        ('vit_tiny_r_s16_p8_224', 64, dict(img_size=64, depth=2)),
        ('inception_next_atto', 64, {}),
        pytest.param('vgg11', 32, {}, marks=pytest.mark.slow),
        pytest.param('densenet121', 32, {}, marks=pytest.mark.slow),
        (
            'swin_tiny_patch4_window7_224',
            64,
            dict(img_size=64, window_size=2, embed_dim=24, depths=(1, 1, 1, 1)),
        ),
    ],
)
def test_timm(name, size, settings):
    check_everything(timm(name, **settings), size)


def vision_transformer(**settings):
    layers = dict(embed_dims=32, num_layers=2, num_heads=2, feedforward_channels=64)
    return dict(type='VisionTransformer', arch=layers, img_size=64, **settings)


SWIN = dict(
    type='SwinTransformer',
    arch=dict(embed_dims=16, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2]),
    window_size=2,
)
DENSENET = dict(type='DenseNet', arch=dict(growth_rate=4, depths=[2, 2, 2, 2], init_channels=8))
CONVNEXT = dict(type='ConvNeXt', arch=dict(depths=[1, 1, 1, 1], channels=[8, 8, 16, 16]))


@pytest.mark.parametrize(
    ('backbone', 'channels'),
    [
        (dict(type='ResNet', depth=18), 512),
        (SWIN, 128),
        ({**CONVNEXT, 'gap_before_final_norm': False}, 16),
        (vision_transformer(out_type='featmap'), 32),
        pytest.param(dict(type='VGG', depth=11), 512, marks=pytest.mark.slow),
        (DENSENET, 16),
    ],
)
def test_mmpretrain(backbone, channels):
    assert build(backbone).neck.in_channels == channels
    check_everything(backbone, 64)


@pytest.mark.parametrize('backbone', [vision_transformer(), CONVNEXT, timm('test_vit')])
def test_no_feature_map_is_refused_when_the_model_is_built(backbone):
    if backbone['type'] == 'TIMMBackbone':
        backbone = {**backbone, 'features_only': False}
        del backbone['out_indices']
    with pytest.raises(InputError, match=r"no feature map .* set features_only=True.*'featmap'"):
        build(backbone)


@pytest.mark.parametrize(
    'backbone',
    [timm('test_resnet', in_channels=1), dict(type='ResNet', depth=18, in_channels=1)],
)
def test_greyscale(backbone):
    model = build(backbone, mean=[0], std=[255])
    model.eval()
    assert model(torch.rand(1, 1, 64, 64)).shape == (1, 3)


@pytest.fixture
def zoo_checkpoint(tmp_path):
    """An MMPretrain ResNet-18 as its zoo keeps it, and the weights of its backbone."""
    torch.manual_seed(1)
    classifier = MODELS.build(
        dict(
            type='ProtoPNet',
            backbone=dict(type='ResNet', depth=18),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=5, in_channels=512),
        )
    )
    hub = MessageHub('zoo')
    hub.update_scalar('train/loss', 1.0)
    assert isinstance(hub.log_scalars['train/loss'], HistoryBuffer)
    file = tmp_path / 'resnet18.pth'
    save_checkpoint(
        dict(state_dict=classifier.state_dict(), meta={}, message_hub=hub.state_dict()), str(file)
    )
    return file, classifier.backbone.state_dict()


def test_a_checkpoint_of_mmpretrains_zoo_starts_the_backbone(zoo_checkpoint):
    file, weights = zoo_checkpoint
    pretrained = dict(type='Pretrained', checkpoint=str(file), prefix='backbone')
    model = build(dict(type='ResNet', depth=18, init_cfg=pretrained))
    model.init_weights()
    loaded = model.backbone.state_dict()
    assert all(torch.equal(loaded[name], weight) for name, weight in weights.items())


@pytest.mark.parametrize('name', ['test_resnet', 'test_vit'])
def test_a_file_of_timms_starts_the_backbone(name, tmp_path):
    file = tmp_path / 'weights.pth'
    weights = create_model(name).state_dict()
    torch.save(weights, file)
    model = build(timm(name, pretrained=True, pretrained_cfg_overlay=dict(file=str(file))))
    model.init_weights()
    for key, weight in model.backbone.timm_model.state_dict().items():
        assert torch.equal(weight, weights[key.removeprefix('model.')])


def test_image_sizes_that_a_backbone_takes_pass():
    check_image_size(build(timm('test_resnet')).backbone, (3, 50, 70))
    check_image_size(build(dict(type='ConvBackbone', channels=8)).backbone, (3, 16, 16))


@pytest.mark.parametrize(
    ('backbone', 'named'),
    [
        (timm('deit_tiny_patch16_224', img_size=96), '96 x 96'),
        (timm('test_vit'), '160 x 160, 96 x 64, 128 x 64'),
    ],
)
def test_image_sizes_that_a_backbone_cannot_take_are_answered_with_those_it_can(backbone, named):
    with pytest.raises(InputError, match=rf'of 100 x 64 \(height x width\), but {named}: change'):
        check_image_size(build(backbone).backbone, (3, 100, 64))
