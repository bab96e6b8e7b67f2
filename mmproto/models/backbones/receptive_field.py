"""The receptive field of VGG, ResNet and DenseNet, walked layer by layer."""

from itertools import chain

import torch
from mmcv.cnn import ConvModule
from mmpretrain.models import backbones
from mmpretrain.models.backbones import densenet, resnet
from timm.layers import BatchNormAct2d
from timm.models import FeatureListNet
from timm.models import densenet as timm_densenet
from timm.models import resnet as timm_resnet
from torch import Tensor, nn
from torch.func import functional_call

from mmproto.functional import ReceptiveField
from mmproto.models.backbones.backbone_info import image_channels, image_size

LAYERS = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)

# A network with a module of any other kind (attention, blurred pooling) is not walked.
KINDS = {
    *LAYERS,
    *(nn.BatchNorm2d, BatchNormAct2d, nn.ReLU, nn.Identity, nn.Dropout),
    *(nn.Sequential, nn.ModuleList, ConvModule),
    *(backbones.TIMMBackbone, FeatureListNet),
    *(timm_resnet.BasicBlock, timm_resnet.Bottleneck),
    *(timm_densenet.DenseLayer, timm_densenet.DenseBlock, timm_densenet.DenseTransition),
    *(backbones.VGG, backbones.DenseNet),
    *(densenet.DenseLayer, densenet.DenseBlock, densenet.DenseTransition),
    *(backbones.ResNet, backbones.ResNetV1c, backbones.ResNetV1d),
    *(resnet.ResLayer, resnet.BasicBlock, resnet.Bottleneck),
}

# The shortcut of a residual block sees no more than the branch beside it.
SHORTCUT = 'downsample'


def backbone_receptive_field(backbone: nn.Module) -> ReceptiveField | None:
    """The receptive field of the cells of a backbone's last map.

    It holds for images of every size, since these networks only slide windows over them. The
    layers of residual and dense branches count one after another.

    Args:
        backbone: A VGG, ResNet or DenseNet of timm, with ``features_only=True``, or MMPretrain.

    Returns:
        The field, None for a backbone of another family.
    """
    if any(type(module) not in KINDS for module in backbone.modules()):
        return None
    field = ReceptiveField()
    seen: list[tuple[Tensor, ReceptiveField]] = []

    def note(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        nonlocal field
        if isinstance(module, LAYERS):
            field = field.through(*_window(module))
        seen.append((output, field))

    handles = [
        module.register_forward_hook(note)
        for name, module in backbone.named_modules()
        if SHORTCUT not in name
    ]
    try:
        last = _outline(backbone)[-1]
    finally:
        for handle in handles:
            handle.remove()
    return next((field for output, field in seen if output is last), None)


def _window(layer: nn.Module) -> tuple[int, int, int]:
    """Kernel, stride and padding of a layer; dilation widens the kernel."""
    kernel, stride, padding, dilation = (
        value if isinstance(value, int) else value[0]
        for value in (
            layer.kernel_size,
            layer.stride,
            layer.padding,
            getattr(layer, 'dilation', 1),
        )
    )
    return dilation * (kernel - 1) + 1, stride, padding


def _outline(backbone: nn.Module) -> tuple[Tensor, ...]:
    """The backbone's maps without values: no layer computes, no statistics change."""
    state = chain(backbone.named_parameters(), backbone.named_buffers())
    blank = torch.empty(1, image_channels(backbone), *image_size(backbone), device='meta')
    return functional_call(backbone, {name: value.to('meta') for name, value in state}, (blank,))
