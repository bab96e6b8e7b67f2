"""Class activation maps against the formula of Zhou et al. (2016)."""

import cv2
import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS
from torch import nn

from mmproto.errors import InputError
from mmproto.explanation.class_activation import (
    check_linear_head,
    class_activations,
)
from tests.toy import model_config


@MODELS.register_module()
class ChannelsLastPooling(nn.Module):
    """Average of maps (N, H, W, C)."""

    def forward(self, feats):
        return tuple(one.mean(dim=(1, 2)) for one in feats)


SWIN = dict(
    type='TIMMBackbone',
    model_name='swin_tiny_patch4_window7_224',
    features_only=True,
    out_indices=(-1,),
    img_size=96,
    embed_dim=8,
    depths=(1, 1),
    num_heads=(1, 1),
    window_size=2,
)
SEVERAL_MAPS = dict(
    type='TIMMBackbone', model_name='resnet10t', features_only=True, out_indices=(-2, -1)
)


def baseline(backbone=None, channels=8, neck='GlobalAveragePooling', classes=5):
    """A classifier with a linear head whose random weights matter."""
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=backbone or dict(type='ConvBackbone', channels=8, batch_norm=True),
            neck=dict(type=neck),
            head=dict(type='LinearClsHead', num_classes=classes, in_channels=channels),
        )
    )
    nn.init.normal_(model.head.fc.weight)
    nn.init.normal_(model.head.fc.bias)
    model.eval()
    return model


def unit(values):
    values = np.maximum(values, 0) - np.maximum(values, 0).min()
    return values / values.max()


@torch.no_grad()
def by_formula(model, image, channels_last):
    """M_k(x, y) = sum over channels c of w_kc f_c(x, y), without its negative part, enlarged."""
    features = model.backbone(image[None])[-1][0]
    features = features.permute(2, 0, 1) if channels_last else features
    weights, bias = model.head.fc.weight, model.head.fc.bias
    label = int((weights @ features.mean(dim=(1, 2)) + bias).argmax())
    activation = sum(weight * channel for weight, channel in zip(weights[label], features))
    large = cv2.resize(unit(activation.numpy()), tuple(image.shape[:0:-1]))
    return label, unit(large)


@pytest.mark.parametrize(
    ('model', 'channels_last'),
    [
        (baseline(), False),
        (baseline(SEVERAL_MAPS, channels=512), False),
        (baseline(SWIN, channels=16, neck='ChannelsLastPooling'), True),
    ],
    ids=['one map', 'several maps', 'channels last'],
)
def test_it_is_the_formula(model, channels_last):
    inputs = torch.randn(3, 3, 96, 96)
    found = class_activations(model, inputs)
    for one, image in zip(found, inputs):
        label, activation = by_formula(model, image, channels_last)
        assert one.label == label
        np.testing.assert_allclose(one.activation, activation, atol=1e-4)
        assert 0.05 < one.activation.mean() < 0.95
    logits = model(inputs, mode='tensor').detach()
    torch.testing.assert_close(
        torch.stack([one.probabilities for one in found]), logits.softmax(dim=1)
    )


def test_images_need_not_be_square():
    (one,) = class_activations(baseline(), torch.randn(1, 3, 12, 20))
    assert one.activation.shape == (12, 20)


def test_a_frozen_network_without_gradients_has_maps_and_stays_as_it_is():
    model, inputs = baseline(), torch.randn(1, 3, 16, 16)
    (free,) = class_activations(model, inputs)
    assert all(parameter.grad is None for parameter in model.parameters())
    model.requires_grad_(False)
    with torch.no_grad():
        (frozen,) = class_activations(model, inputs)
    np.testing.assert_array_equal(frozen.activation, free.activation)
    assert free.activation.max() == pytest.approx(1, abs=1e-4)


def test_tokens_are_no_map():
    class Tokens(nn.Module):
        def forward(self, inputs):
            return (inputs.flatten(2),)

    model = baseline()
    model.backbone = Tokens()
    with pytest.raises(InputError, match=r'model.backbone gives \(1, 3, 64\), no feature map'):
        class_activations(model, torch.randn(1, 3, 8, 8))


def test_another_head_is_refused():
    check_linear_head(baseline())
    with pytest.raises(InputError, match='is a ProtoPNetHead: give a baseline with a LinearCls'):
        check_linear_head(MODELS.build(model_config()))
