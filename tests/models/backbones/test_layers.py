import pytest
from mmpretrain.registry import MODELS

from mmproto.models.backbones.layers import parameter_layers


def layers_of(**backbone):
    backbone = MODELS.build({'type': 'mmpretrain.TIMMBackbone', **backbone})
    layers = parameter_layers(backbone)
    assert set(layers) == {name for name, _ in backbone.named_parameters()}
    assert set(layers.values()) == set(range(max(layers.values()) + 1))
    return layers


def timm_layers(name):
    prefix = 'timm_model.'
    layers = layers_of(model_name=name, features_only=True, out_indices=(-1,))
    return {name.removeprefix(prefix): layer for name, layer in layers.items()}


def test_a_layer_of_resnet_is_a_block_or_the_stem():
    layers = timm_layers('resnet18')
    assert max(layers.values()) == 8
    expected = {
        'conv1.weight': 0,
        'bn1.bias': 0,
        'layer1.0.conv1.weight': 1,
        'layer1.1.bn2.weight': 2,
        'layer2.0.downsample.0.weight': 3,
        'layer4.1.bn2.bias': 8,
    }
    assert {name: layers[name] for name in expected} == expected


def test_a_layer_of_vgg_is_a_convolution_with_its_batch_norm():
    layers = timm_layers('vgg11_bn')
    convolutions = [0, 4, 8, 11, 15, 18, 22, 25]
    for layer, number in enumerate(convolutions):
        assert layers[f'features_{number}.weight'] == layer
        assert layers[f'features_{number + 1}.weight'] == layer
    assert len(layers) == 4 * len(convolutions)


def test_a_layer_of_a_vision_transformer_is_a_block_or_the_embedding():
    layers = timm_layers('test_vit')
    for name in ('cls_token', 'pos_embed', 'patch_embed.proj.weight'):
        assert layers[f'model.{name}'] == 0
    for block in range(6):
        for name in ('norm1.bias', 'attn.qkv.weight', 'mlp.fc2.weight'):
            assert layers[f'model.blocks.{block}.{name}'] == block + 1
    assert max(layers.values()) == 6


def test_a_layer_of_convnext_is_a_block_a_downsampling_or_the_stem():
    layers = timm_layers('test_convnext')
    order = [
        *('stem_0.weight', 'stages_0.blocks.0.conv_dw.weight'),
        *('stages_1.downsample.1.weight', 'stages_1.blocks.0.gamma', 'stages_1.blocks.1.gamma'),
        *('stages_2.downsample.1.weight', 'stages_2.blocks.0.gamma'),
    ]
    assert [layers[name] for name in order] == list(range(len(order)))
    assert layers['stem_1.weight'] == 0  # a norm goes with the convolution before it
    assert layers['stages_1.downsample.0.weight'] == 1
    assert max(layers.values()) == 12


def test_a_backbone_of_mmpretrain_says_it_itself():
    layers = layers_of(type='mmpretrain.ResNet', depth=50)
    assert layers['conv1.weight'] == 0
    assert layers['layer1.0.conv1.weight'] == layers['layer1.2.conv1.weight'] == 1
    assert layers['layer2.0.conv1.weight'] == 2
    assert layers['layer2.3.conv1.weight'] == 3
    assert layers['layer4.2.conv3.weight'] == max(layers.values()) == 6


@pytest.mark.parametrize(
    ('backbone', 'first', 'last', 'count'),
    [
        (dict(type='ResNet', depth=18), 'conv1.weight', 'layer4.1.conv2.weight', 9),
        (dict(type='VGG', depth=11), 'features.0.conv.weight', 'features.11.conv.bias', 8),
    ],
)
def test_or_is_read_like_any_other(backbone, first, last, count):
    layers = layers_of(**{**backbone, 'type': f'mmpretrain.{backbone["type"]}'})
    assert (layers[first], layers[last]) == (0, count - 1)
