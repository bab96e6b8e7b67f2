import pytest
import timm
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

from mmproto.errors import InputError
from mmproto.models.backbones.timm_names import check_backbone, check_timm_name


def test_every_model_of_timm_is_known():
    for name in [*timm.list_models(), *timm.list_pretrained()]:
        check_timm_name(name)


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('dinov2_vits14', r'nearest: vit_small_patch14_dinov2,'),
        ('vit_b_16', r'nearest: vit_base_patch16_224,'),
        ('ViT-B/16', r'nearest: vit_base_patch16_224,'),
        ('efficientnet_v2_s', r'nearest: efficientnetv2_s,'),
        ('resnet_50', r'nearest: resnet50,'),
        ('resnet50_a1_in1k', r'nearest: resnet50\.a1_in1k,'),
        ('resnet34.tv_in1K', r'for resnet34, but resnet34\.tv_in1k,'),
        ('resnet35', r"model_name='resnet35' is no model of timm; nearest: .*resnet34"),
        ('convnext_tin', 'nearest: convnext_tiny'),
        ('qqqq', r'see timm\.list_models\(\)'),
        ('resnet34.no_such', r"no weights 'no_such' for resnet34, but .*resnet34\.tv_in1k"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, message):
    backbone = dict(type='TIMMBackbone', model_name=name)
    with pytest.raises(InputError, match=message):
        check_backbone(Config(dict(model=dict(backbone=backbone))))


def test_a_checkpoint_path_is_loaded(tmp_path):
    file = tmp_path / 'timm.pth'
    saved = timm.create_model('resnet10t', num_classes=7)
    torch.save(saved.state_dict(), file)
    backbone = dict(
        type='TIMMBackbone', model_name='resnet10t', features_only=True, out_indices=(-1,),
        checkpoint_path=str(file),
    )  # fmt: skip
    cfg = Config(dict(model=dict(backbone=backbone)))
    check_backbone(cfg)
    state = MODELS.build(cfg.model.backbone).timm_model.state_dict()
    assert torch.equal(state['layer4.0.conv1.weight'], saved.layer4[0].conv1.weight)


def test_a_missing_checkpoint_path_is_named():
    backbone = dict(
        type='TIMMBackbone', model_name='resnet18', features_only=True, checkpoint_path='x.pth'
    )
    with pytest.raises(InputError, match=r'checkpoint_path=x\.pth: there is no such file'):
        check_backbone(Config(dict(model=dict(backbone=backbone))))


def test_other_backbones_pass():
    check_backbone(Config(dict(model=dict(backbone=dict(type='ResNet', depth=18)))))
