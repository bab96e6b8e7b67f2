"""Receptive fields of real backbones: the reference's figures, and what gradients show."""

import json

import pytest
import timm
import torch
from mmengine.config import ConfigDict
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from torch import nn

from mmproto.functional import ReceptiveField
from mmproto.models.backbones.receptive_field import backbone_receptive_field
from tests.pushing import push_to
from tests.toy import DATA, loader, model_config

FIGURES = json.loads((DATA / 'receptive_fields.json').read_text())
MMPRETRAIN = {
    'vgg11_bn': dict(type='VGG', depth=11, norm_cfg=dict(type='BN')),
    'vgg19': dict(type='VGG', depth=19),
    'resnet18': dict(type='ResNet', depth=18),
    'resnet50': dict(type='ResNet', depth=50),
    'densenet121': dict(type='DenseNet', arch='121'),
}


def build(**config):
    if 'model_name' in config:
        config = {'type': 'TIMMBackbone', 'features_only': True, 'out_indices': (-1,), **config}
    return MODELS.build(config)


def assert_figures(backbone, figures):
    field = backbone_receptive_field(backbone)
    backbone.eval()
    for size, (cells, *expected) in figures.items():
        assert [field.jump, field.size, field.start] == expected
        with torch.no_grad():
            last = backbone.to('meta')(torch.empty(1, 3, int(size), int(size), device='meta'))[-1]
        assert tuple(last.shape[2:]) == (cells, cells)


@pytest.mark.parametrize('name', FIGURES)
def test_figures_of_the_reference(name):
    with torch.device('meta'):
        backbone = build(model_name=name)
    assert_figures(backbone, FIGURES[name])


@pytest.mark.parametrize('name', MMPRETRAIN)
def test_the_networks_of_mmpretrain_have_the_same(name):
    assert_figures(build(**MMPRETRAIN[name]), FIGURES[name])


def make_transparent(backbone):
    """Let every pixel that a cell sees reach it: positive weights, and means for maxima."""
    for module in list(backbone.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.MaxPool2d):
                window = (child.kernel_size, child.stride, child.padding)
                setattr(module, name, nn.AvgPool2d(*window))
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    backbone.eval()


@pytest.mark.parametrize(
    'config',
    [
        dict(model_name='vgg11', out_indices=(-1,)),
        dict(model_name='vgg11_bn', out_indices=(-2,)),
        dict(model_name='resnet18', out_indices=(-2,)),
        dict(model_name='resnet50', out_indices=(2,)),
        dict(model_name='resnet10t', out_indices=(-2,)),
        dict(model_name='densenet121', out_indices=(-4,)),
        dict(type='VGG', depth=11, out_indices=(3,)),
        dict(type='ResNet', depth=18, out_indices=(1,)),
        dict(type='DenseNet', arch='121', out_indices=(0,)),
        dict(
            type='ResNet', depth=18, out_indices=(1,), strides=(1, 1, 1, 1), dilations=(1, 2, 1, 1)
        ),
    ],
    ids=lambda config: '-'.join(map(str, config.values())),
)
def test_a_cell_depends_on_the_pixels_of_its_box_and_no_others(config):
    backbone = build(**config)
    make_transparent(backbone)
    field = backbone_receptive_field(backbone)
    image = torch.rand(1, 3, 256, 288, requires_grad=True)
    last = backbone(image)[-1]
    patch_size = (2, 1)
    row, column = (int((side / 2 - field.start) // field.jump) for side in image.shape[2:])
    last[..., row : row + 2, column].sum().backward()
    rows, columns = image.grad[0].sum(dim=0).nonzero().unbind(dim=1)
    seen = (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1)
    box = field.box((row, column), image.shape[2:], patch_size)
    assert tuple(map(int, seen)) == box
    assert len(rows) == (box[1] - box[0]) * (box[3] - box[2])
    assert min(box) > 0
    assert box[1] < 256
    assert box[3] < 288


def test_nothing_of_the_backbone_changes():
    backbone = build(model_name='resnet10t')
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    assert backbone_receptive_field(backbone) is not None
    assert backbone.training
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not any(module._forward_hooks for module in backbone.modules())


@pytest.mark.parametrize(
    'config',
    [
        dict(model_name='mobilenetv3_small_050'),
        dict(model_name='seresnet50'),
        dict(model_name='resnetblur18'),
        dict(model_name='test_vit'),
        dict(type='ConvBackbone', channels=4),
    ],
    ids=lambda config: config.get('model_name', config.get('type')),
)
def test_other_families_have_none(config):
    assert backbone_receptive_field(build(**config)) is None


def test_a_patch_sees_what_its_cells_see():
    field = ReceptiveField(jump=8, size=21, start=0.5)
    size = (40, 64)
    for row, column in [(0, 0), (1, 3), (3, 5)]:
        cells = [field.box((row + i, column + j), size) for i in range(2) for j in range(3)]
        tops, bottoms, lefts, rights = zip(*cells)
        union = (min(tops), max(bottoms), min(lefts), max(rights))
        assert field.box((row, column), size, (2, 3)) == union


@pytest.mark.parametrize('size', [1, (2, 1)])
def test_a_push_writes_the_receptive_field_beside_the_box(tmp_path, size):
    config = model_config(prototype_size=size)
    config['backbone'] = dict(
        type='TIMMBackbone', model_name='resnet10t', features_only=True, out_indices=(-3,)
    )
    model = MODELS.build(config)
    dataloader = Runner.build_dataloader(ConfigDict(loader(size=64)))
    push_to(tmp_path, model, dataloader)
    # resnet10t down to stride 8: its stem's 3x3s and pooling, then four 3x3s of two blocks
    sees = 1 + 2 + 2 * (2 + 2) + 2 * 2 + 4 * (2 + 2 + 2) + 8 * 2
    rows, columns = (size, size) if isinstance(size, int) else size
    for record in json.loads((tmp_path / 'prototypes.json').read_text()):
        ends = []
        for first, cells in zip(record['location'], (rows, columns)):
            centre = 8 * first + 0.5
            ends += [centre - sees / 2, centre + 8 * (cells - 1) + sees / 2]
        clipped = [int(min(max(end, 0), 64)) for end in ends]
        assert list(record['receptive_field']) == ['top', 'bottom', 'left', 'right']
        assert list(record['receptive_field'].values()) == clipped


def test_a_push_writes_none_where_it_is_not_known(tmp_path):
    model = MODELS.build(model_config())
    push_to(tmp_path, model, Runner.build_dataloader(ConfigDict(loader())))
    records = json.loads((tmp_path / 'prototypes.json').read_text())
    assert [record['receptive_field'] for record in records] == [None] * 6


def test_a_class_that_a_release_moves_makes_its_family_unknown_and_no_other(monkeypatch):
    monkeypatch.setattr(timm.models.resnet.BasicBlock, '__module__', 'timm.models.blocks')
    assert backbone_receptive_field(build(model_name='resnet18')) is None
    assert backbone_receptive_field(build(model_name='vgg11')) is not None
