"""Normalisation and channels follow from the backbone."""

import logging

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from mmpretrain.models import ClsDataPreprocessor
from mmpretrain.registry import MODELS
from timm import create_model

from mmproto.apis import push_prototypes
from mmproto.errors import InputError
from mmproto.models import LinearClassifier
from tests.toy import loader, model_config


@MODELS.register_module()
class Plain(ClsDataPreprocessor):
    """A preprocessor of somebody's own."""


LITE = 'tf_efficientnet_lite0'  # its mean and std are 127.5


def timm(name, **settings):
    return dict(
        type='TIMMBackbone', model_name=name, features_only=True, out_indices=(-1,), **settings
    )


def build(backbone, preprocessor=None):
    config = {**model_config(), 'backbone': backbone, 'data_preprocessor': preprocessor}
    return MODELS.build(config)


def build_linear(backbone, **head):
    return MODELS.build(
        dict(
            type='LinearClassifier',
            backbone=backbone,
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=3, **head),
        )
    )


def normalised(model, images):
    return model.data_preprocessor(dict(inputs=images))['inputs']


@pytest.fixture
def logged(caplog):
    """What is logged while a model is built."""
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    level = logger.level
    logger.setLevel(logging.INFO)
    yield lambda word: [one.message for one in caplog.records if word in one.message]
    logger.setLevel(level)
    logger.removeHandler(caplog.handler)


@pytest.mark.parametrize('build', [build, build_linear])
def test_images_are_normalised_as_the_network_wants_them(build, logged):
    bgr = torch.tensor([0.0, 127.5, 255.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    found = normalised(build(timm(LITE)), bgr)
    assert found[0, :, 0, 0].tolist() == [1, 0, -1]
    (line,) = logged('normalised')
    assert line == (
        'Images are normalised by mean [127.5, 127.5, 127.5] and std [127.5, 127.5, 127.5], '
        'channels RGB, as tf_efficientnet_lite0.in1k was trained'
    )


def test_a_backbone_that_does_not_say_gets_imagenets(logged):
    model = build(dict(type='ConvBackbone', channels=8))
    assert model.data_preprocessor.mean.flatten().tolist() == pytest.approx(
        [123.675, 116.28, 103.53]
    )
    assert model.data_preprocessor.to_rgb
    assert 'does not say' in logged('normalised')[0]


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        (dict(mean=[0], std=[1]), [5, 6, 7]),
        (dict(mean=None), [5, 6, 7]),
        (dict(to_rgb=False), [(value - 127.5) / 127.5 for value in (5, 6, 7)]),
    ],
)
def test_a_setting_of_ones_own_wins(given, expected):
    images = torch.tensor([5.0, 6.0, 7.0]).view(1, 3, 1, 1)
    found = normalised(build(timm(LITE), given), images)
    assert found.flatten().tolist() == pytest.approx(expected)


def test_a_network_of_one_channel_takes_the_average():
    preprocessor = build(timm('resnet10t', in_channels=1)).data_preprocessor
    assert preprocessor.mean.flatten().tolist() == pytest.approx([114.495])
    assert preprocessor.std.flatten().tolist() == pytest.approx([57.63])


@pytest.fixture
def pretrained(tmp_path):
    """A backbone that begins with weights, which were trained on mean and std 127.5."""
    torch.save(create_model('test_vit').state_dict(), tmp_path / 'weights.pth')
    file = dict(file=str(tmp_path / 'weights.pth'))
    return timm('test_vit', pretrained=True, pretrained_cfg_overlay=file)


def test_a_contradiction_is_warned_about(pretrained, logged):
    build(pretrained, dict(mean=[123.675, 116.28, 103.53], std=[58.4, 57.1, 57.4], to_rgb=True))
    (line,) = logged('data_preprocessor')
    assert 'by mean [123.675, 116.28, 103.53]' in line
    assert 'with mean [127.5' in line
    assert 'leave mean, std and to_rgb out' in line


@pytest.mark.parametrize('wrong', [dict(mean=[127.5] * 3, std=[127.5] * 3), dict(mean=None)])
def test_the_wrong_order_and_none_at_all_are_contradictions_too(pretrained, logged, wrong):
    build(pretrained, wrong)
    assert len(logged('leave mean')) == 1


@pytest.mark.parametrize('count', [1, 3])
def test_the_same_setting_is_no_contradiction(pretrained, logged, count):
    build(pretrained, dict(mean=[127.5] * count, std=[127.5] * count, to_rgb=True))
    assert not logged('data_preprocessor')


def test_random_weights_contradict_nothing(logged):
    build(timm(LITE), dict(mean=[0], std=[255]))
    assert not logged('data_preprocessor')


def test_another_preprocessor_stays_as_it_is():
    built = MODELS.build(dict(type='mmengine.ImgDataPreprocessor', mean=[1], std=[2]))
    assert build(timm(LITE), built).data_preprocessor is built
    assert not hasattr(build(timm(LITE), dict(type='Plain')).data_preprocessor, 'mean')


SWIN = timm(
    'swin_tiny_patch4_window7_224', img_size=64, window_size=2, embed_dim=24, depths=(1, 1, 1, 1)
)


@pytest.mark.parametrize(
    ('backbone', 'channels'),
    [(timm('test_resnet'), 96), (SWIN, 192), (dict(type='ConvBackbone', channels=8), 8)],
)
def test_a_linear_head_has_the_channels_of_the_backbone(backbone, channels):
    model = build_linear(backbone)
    model.eval()
    assert model.head.fc.in_features == channels
    assert model(torch.rand(2, 3, 64, 64)).shape == (2, 3)
    assert model.extract_feat(torch.rand(2, 3, 64, 64), stage='backbone')[-1].shape[1] == channels
    assert build_linear(backbone, in_channels=channels).head.fc.in_features == channels


@pytest.mark.parametrize('stands_still', [True, False])
def test_batch_norm_of_a_baseline_stands_still_if_it_should(stands_still):
    backbone = timm('resnet10t', pretrained=False)
    head = dict(type='LinearClsHead', num_classes=3)
    neck = dict(type='GlobalAveragePooling')
    model = LinearClassifier(backbone, neck, head, norm_eval=stands_still)
    before = [value.clone() for value in model.buffers()]
    weights = [value.clone() for value in model.parameters()]
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.rand(4, 3, 32, 32), mode='tensor')[0].square().mean().backward()
    optimizer.step()
    stood = all(torch.equal(one, other) for one, other in zip(before, model.buffers()))
    assert stood == stands_still
    assert any(not torch.equal(one, other) for one, other in zip(weights, model.parameters()))
    assert model.training


def step(memory_format):
    """A network after a step's backward pass, what it made of the images, how they lay."""
    torch.manual_seed(0)
    config = {**model_config(), 'backbone': timm('test_resnet'), 'memory_format': memory_format}
    model, given = MODELS.build(config).eval(), []  # few images' own statistics magnify rounding
    model.backbone.register_forward_pre_hook(lambda _, inputs: given.extend(inputs))
    images = torch.rand(4, 3, 64, 64)
    logits = model(images)
    logits.square().sum().backward()
    return model, logits, given[0]


def test_another_memory_format_changes_the_speed_alone():
    plain, expected, _ = step('contiguous_format')
    model, logits, given = step('channels_last')
    assert given.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)
    for (name, ours), theirs in zip(model.named_parameters(), plain.parameters()):
        assert ours.is_contiguous(), name  # and so are moments and what is saved
        if ours.grad is not None:
            assert ours.grad.is_contiguous(), name
            assert (ours.grad - theirs.grad).norm() <= 1e-3 * theirs.grad.norm(), name

    dataloader = Runner.build_dataloader(loader(size=64))
    pushed, wanted = (push_prototypes(one, dataloader) for one in (model, plain))
    assert torch.equal(pushed.image, wanted.image)
    assert torch.equal(pushed.location, wanted.location)
    torch.testing.assert_close(pushed.vector, wanted.vector)


def test_an_unknown_memory_format_is_refused():
    with pytest.raises(InputError, match=r"model\.memory_format='nhwc' is unknown: choose one of"):
        MODELS.build({**model_config(), 'memory_format': 'nhwc'})
