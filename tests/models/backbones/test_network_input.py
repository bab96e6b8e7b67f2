from pathlib import Path

import pytest
from mmpretrain.apis import ModelHub

from mmproto.models.backbones.network_input import (
    NetworkInput,
    input_of_config,
    pipeline_size,
)

HALF = (127.5,) * 3
IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


def timm(name, **settings):
    return input_of_config(dict(type='TIMMBackbone', model_name=name, **settings))


def test_timm_declares_what_its_networks_were_trained_with():
    assert timm('tf_efficientnet_lite0') == NetworkInput(
        source='tf_efficientnet_lite0.in1k',
        mean=HALF,
        std=HALF,
        size=(224, 224),
        interpolation='bicubic',
    )
    vgg = timm('vgg19')
    assert (vgg.mean, vgg.std, vgg.interpolation, vgg.fixed_size) == (*IMAGENET, 'bilinear', False)
    assert timm('vit_base_patch14_dinov2').fixed_size


def test_an_overlay_says_more_than_timm():
    overlay = dict(file='weights.pth', mean=(0, 0, 0), input_size=(3, 96, 64))
    network = timm('tf_efficientnet_lite0', pretrained_cfg_overlay=overlay)
    assert (network.mean, network.std, network.size) == ((0, 0, 0), HALF, (96, 64))


def test_what_is_not_known_is_imagenets():
    for backbone in (dict(type='ResNet'), dict(type='TIMMBackbone', model_name='hf-hub:a/b')):
        network = input_of_config(backbone)
        assert network.source is None
        assert network.size is None
        assert (network.mean, network.std) == tuple(map(pytest.approx, IMAGENET))


def test_a_checkpoint_of_mmpretrains_zoo_has_a_config():
    name = 'beit-base-p16_beit-in21k-pre_3rdparty_in1k'
    file = Path('weights', Path(ModelHub.get(name).weights).name)
    init_cfg = dict(type='Pretrained', checkpoint=str(file), prefix='backbone')
    network = input_of_config(dict(type='BEiTViT', arch='base', img_size=224, init_cfg=init_cfg))
    assert network == NetworkInput(
        source=name, mean=HALF, std=HALF, size=(224, 224), interpolation='bicubic', fixed_size=True
    )


@pytest.mark.parametrize(
    ('pipeline', 'size'),
    [
        ([dict(type='Resize', scale=(96, 64)), dict(type='PackInputs')], (64, 96)),
        ([dict(type='ResizeEdge', scale=256), dict(type='CenterCrop', crop_size=224)], (224, 224)),
        ([dict(type='Resize', scale=(96, 64), keep_ratio=True)], None),
        ([], None),
    ],
)
def test_a_pipeline_says_how_large_its_images_are(pipeline, size):
    assert pipeline_size(pipeline) == size
