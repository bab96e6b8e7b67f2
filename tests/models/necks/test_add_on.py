import copy

import pytest
import torch
from mmpretrain.registry import MODELS
from torch import nn

from mmproto.errors import InputError
from tests.toy import model_config


def build(backbone, **neck):
    config = model_config()
    return MODELS.build(
        {
            **config,
            'backbone': backbone,
            'neck': dict(type='ProtoPNetAddOn', out_channels=6, **neck),
        }
    )


def timm(name, **settings):
    return dict(
        type='TIMMBackbone', model_name=name, features_only=True, out_indices=(-1,), **settings
    )


def test_layers():
    regular = MODELS.build(dict(type='ProtoPNetAddOn', in_channels=20, out_channels=6))
    kinds = [type(layer) for layer in regular.add_on_layers]
    assert kinds == [nn.Conv2d, nn.ReLU, nn.Conv2d, nn.Sigmoid]
    narrow = MODELS.build(
        dict(type='ProtoPNetAddOn', in_channels=20, out_channels=6, kind='bottleneck')
    )
    widths = [
        (layer.in_channels, layer.out_channels)
        for layer in narrow.add_on_layers
        if isinstance(layer, nn.Conv2d)
    ]
    assert widths == [(20, 10), (10, 10), (10, 6), (6, 6)]
    assert [type(layer) for layer in narrow.add_on_layers[1::2]] == [nn.ReLU] * 3 + [nn.Sigmoid]
    for layer in narrow.add_on_layers[::2]:
        deviation = (2 / layer.out_channels) ** 0.5
        assert layer.weight.std().item() == pytest.approx(deviation, rel=0.4)
        assert not layer.bias.any()


@pytest.mark.parametrize(
    ('backbone', 'channels'),
    [
        (dict(type='ConvBackbone', channels=8, batch_norm=True), 8),  # says nothing: is asked
        (timm('resnet10t'), 512),
        (timm('swin_tiny_patch4_window7_224', img_size=64, window_size=2), 768),
        (dict(type='ResNet', depth=18), 512),
    ],
)
def test_channels_are_read_off_the_backbone(backbone, channels):
    model = build(backbone)
    assert model.neck.in_channels == channels
    assert model.training
    assert all(module.training for module in model.backbone.modules())
    images = torch.rand(2, 3, 64, 64)
    (features,) = model.extract_feat(images)
    assert features.shape[:2] == (2, 6)
    assert bool(((features >= 0) & (features <= 1)).all())
    assert copy.deepcopy(model).neck.in_channels == channels


def test_asking_a_backbone_leaves_its_statistics_alone():
    model = build(dict(type='ConvBackbone', channels=8, batch_norm=True))
    assert int(model.backbone.bn.num_batches_tracked) == 0


def test_maps_with_the_channels_last_are_turned():
    model = build(timm('swin_tiny_patch4_window7_224', img_size=64, window_size=2)).eval()
    images = torch.rand(1, 3, 64, 64)
    maps = model.backbone(images)[-1]
    assert maps.shape == (1, 2, 2, 768)
    expected = model.neck.add_on_layers(maps.permute(0, 3, 1, 2))
    assert torch.equal(model.extract_feat(images)[0], expected)


def test_channels_that_do_not_fit_are_refused_when_the_model_is_built():
    with pytest.raises(InputError, match=r'neck\.in_channels=99 .* has 512 channels: leave'):
        build(timm('resnet10t'), in_channels=99)


def test_channels_that_do_not_fit_are_refused_at_the_first_image():
    model = build(dict(type='ResNet', depth=18), in_channels=99)
    with pytest.raises(InputError, match=r'neck\.in_channels=99 .* has 512 channels'):
        model(torch.rand(1, 3, 64, 64))


def test_no_feature_map_is_refused():
    model = build(dict(type='TIMMBackbone', model_name='resnet10t'), in_channels=512)
    with pytest.raises(InputError, match='features_only=True'):
        model.neck((torch.rand(2, 512),))


def test_any_other_classifier_has_to_give_the_channels():
    config = {**model_config(), 'type': 'ImageClassifier'}
    config['neck'] = dict(type='ProtoPNetAddOn', out_channels=6, in_channels=8)
    model = MODELS.build(config)
    assert model(torch.rand(2, 3, 16, 16)).shape == (2, 3)
    config['neck'] = dict(type='ProtoPNetAddOn', out_channels=6)
    with pytest.raises(InputError, match=r"set model\.type='ProtoPNet'"):
        MODELS.build(config)(torch.rand(2, 3, 16, 16))


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match=r"neck\.kind='wide' is unknown: choose one of"):
        MODELS.build(dict(type='ProtoPNetAddOn', kind='wide'))


def test_a_linear_layer_keeps_what_varies_most():
    neck = MODELS.build(dict(type='ProtoPNetAddOn', in_channels=5, out_channels=3, kind='linear'))
    lengths = torch.tensor([4.0, 3.0, 2.0, 0.01, 0.01])
    patches = (torch.randn(4000, 5) * lengths + 7)[:, :, None, None]
    neck.fit_patches(patches)
    mapped = neck.map_patches(patches).detach().flatten(1)
    assert torch.allclose(mapped.mean(dim=0), torch.zeros(3), atol=1e-4)
    assert mapped.square().sum(dim=1).mean() == pytest.approx(1, abs=1e-2)
    pairs = torch.pdist(patches[:50].flatten(1)), torch.pdist(mapped[:50])
    ratio = pairs[1] / pairs[0]  # distances keep their proportions
    assert ratio.std() / ratio.mean() < 1e-3


def test_more_channels_than_the_network_has_stay_empty():
    neck = MODELS.build(dict(type='ProtoPNetAddOn', in_channels=3, out_channels=5, kind='linear'))
    patches = torch.randn(100, 3, 1, 1)
    neck.fit_patches(patches)
    assert neck.map_patches(patches)[:, 3:].eq(0).all()
