"""The receptive field of VGG, ResNet and DenseNet, walked layer by layer."""

from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from mmproto.functional import ReceptiveField
from mmproto.models.backbones.backbone_info import image_channels, image_size

LAYERS = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)

# A network with a module of any other kind (attention, blurred pooling) is not walked.
KINDS = {
    *LAYERS,
    *(nn.BatchNorm2d, nn.ReLU, nn.Identity, nn.Dropout, nn.Sequential, nn.ModuleList),
}

# The other kinds, named and not imported: some are private, and where a release renames one, the
# networks that it is part of are of an unknown family.
NAMED_KINDS = {
    'timm.layers.norm_act': ('BatchNormAct2d',),
    'timm.models._features': ('FeatureListNet',),
    'timm.models.resnet': ('BasicBlock', 'Bottleneck'),
    'timm.models.densenet': ('DenseLayer', 'DenseBlock', 'DenseTransition'),
    'mmcv.cnn.bricks.conv_module': ('ConvModule',),
    'mmpretrain.models.backbones.timm_backbone': ('TIMMBackbone',),
    'mmpretrain.models.backbones.vgg': ('VGG',),
    'mmpretrain.models.backbones.densenet': (
        *('DenseNet', 'DenseLayer', 'DenseBlock', 'DenseTransition'),
    ),
    'mmpretrain.models.backbones.resnet': (
        *('ResNet', 'ResNetV1c', 'ResNetV1d'),
        *('ResLayer', 'BasicBlock', 'Bottleneck'),
    ),
}

# The shortcut of a residual block sees no more than the branch beside it.
SHORTCUT = 'downsample'


def backbone_receptive_field(backbone: nn.Module) -> ReceptiveField | None:
    """Return the receptive field of the cells of a backbone's last map.

    It holds for images of every size, since these networks only slide windows over them. The
    layers of residual and dense branches count one after another.

    Args:
        backbone: A VGG, ResNet or DenseNet of timm, with ``features_only=True``, or MMPretrain.

    Returns:
        The field, None for a backbone of another family.
    """
    if not all(_is_known(type(module)) for module in backbone.modules()):
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


def _is_known(kind: type[nn.Module]) -> bool:
    return kind in KINDS or kind.__name__ in NAMED_KINDS.get(kind.__module__, ())


def _window(layer: Any) -> tuple[int, int, int]:
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
    """Return the backbone's maps without values: no layer computes, no statistics change."""
    state = chain(backbone.named_parameters(), backbone.named_buffers())
    blank = torch.empty(1, image_channels(backbone), *image_size(backbone), device='meta')
    return functional_call(backbone, {name: value.to('meta') for name, value in state}, (blank,))
