"""Weights of a backbone from a file: of the network, of another one, and harmful ones."""

import copy

import pytest
import timm
import torch
from mmengine.config import Config
from mmengine.runner import save_checkpoint
from mmpretrain.registry import MODELS

from mmproto.engine.runner import build_runner
from mmproto.errors import InputError
from mmproto.models.backbones.pretrained_files import check_pretrained
from mmproto.models.backbones.timm_names import check_backbone
from tests.odd_checkpoints import odd_files
from tests.toy import train_config

TIMM = dict(type='TIMMBackbone', model_name='test_resnet', features_only=True, out_indices=(-1,))
MMPRETRAIN = dict(
    type='ResNet', depth=18, base_channels=4, stem_channels=4, num_stages=2, out_indices=(1,),
    strides=(1, 2), dilations=(1, 1),
)  # fmt: skip


def runner(folder, backbone):
    cfg = Config(train_config(folder / 'work'))
    cfg.model.backbone = copy.deepcopy(backbone)
    check_backbone(cfg)
    built = build_runner(cfg)
    built._init_model_weights()
    return built


def pretrain(folder, backbone):
    """Take the file as a training does, up to its first step; what is said of it."""
    built = runner(folder, backbone)
    built.load_or_resume()
    return built.model, check_pretrained(built.model, built.cfg.model)


def given(folder, key, value):
    torch.save(value, folder / 'given.pth')
    file = str(folder / 'given.pth')
    if key == 'overlay':
        return dict(TIMM, pretrained=True, pretrained_cfg_overlay=dict(file=file))
    return dict(TIMM, checkpoint_path=file)


@pytest.mark.parametrize('key', ['overlay', 'checkpoint_path'])
def test_timm_takes_weights_of_its_network_alone(tmp_path, key):
    saved = timm.create_model('test_resnet', num_classes=7)
    model, lines = pretrain(tmp_path, given(tmp_path, key, saved.state_dict()))
    assert torch.equal(model.backbone.timm_model.conv1[0].weight, saved.conv1[0].weight)
    assert not lines
    other = {f'backbone.{name}': value for name, value in saved.state_dict().items()}
    with pytest.raises(InputError, match=r'none of its weights is one of model\.backbone'):
        pretrain(tmp_path, given(tmp_path, key, dict(state_dict=other)))


def test_weights_that_are_missing_are_named(tmp_path):
    state = timm.create_model('test_resnet').state_dict()
    gone = [name for name in state if name.startswith('conv1') and 'weight' in name]
    for name in gone:
        del state[name]
    _, (line,) = pretrain(tmp_path, given(tmp_path, 'overlay', state))
    assert 'weights of model.backbone are as in' in line
    assert 'conv1' in line


def test_a_file_for_other_sizes_is_refused(tmp_path):
    state = timm.create_model('test_resnet').state_dict()
    state = {name: value.repeat_interleave(2, 0) for name, value in state.items() if value.ndim}
    with pytest.raises(InputError, match='is not of the network test_resnet'):
        pretrain(tmp_path, given(tmp_path, 'overlay', state))


@pytest.mark.parametrize('name', ['empty', 'text', 'half', 'code', 'a list', 'an empty dict'])
def test_an_odd_file_is_refused_before_timm_has_it(tmp_path, name):
    saved = dict(state_dict=timm.create_model('test_resnet').state_dict(), meta={})
    backbone = given(tmp_path, 'overlay', {})
    (tmp_path / 'given.pth').write_bytes(odd_files(saved, tmp_path / 'ran')[name])
    with pytest.raises(InputError, match=r'^model\.backbone\.pretrained_cfg_overlay\.file: '):
        pretrain(tmp_path, backbone)
    assert not (tmp_path / 'ran').exists()


def test_mmpretrain_takes_weights_under_their_prefix_alone(tmp_path):
    torch.manual_seed(7)  # the run has another
    saved = MODELS.build(MMPRETRAIN).state_dict()
    state = {f'backbone.{name}': value for name, value in saved.items()}
    save_checkpoint(dict(state_dict=state, meta={}), str(tmp_path / 'zoo.pth'))
    init = dict(type='Pretrained', checkpoint=str(tmp_path / 'zoo.pth'), prefix='backbone.')
    model, lines = pretrain(tmp_path, dict(MMPRETRAIN, init_cfg=init))
    assert torch.equal(model.backbone.conv1.weight, saved['conv1.weight'])
    assert not lines
    del init['prefix']
    with pytest.raises(InputError, match=r"init_cfg\.checkpoint=.*needs prefix='backbone\.'"):
        pretrain(tmp_path, dict(MMPRETRAIN, init_cfg=init))
    del state['backbone.conv1.weight']
    save_checkpoint(dict(state_dict=state, meta={}), str(tmp_path / 'zoo.pth'))
    _, lines = pretrain(tmp_path, dict(MMPRETRAIN, init_cfg=dict(init, prefix='backbone.')))
    assert 'conv1.weight' in lines[-1]
