"""What a backbone says of its last feature map."""

import torch
from torch import nn

PROBE_SIZE = 224


def declared_channels(backbone: nn.Module) -> int | None:
    """Channels of the last map as timm declares them, None for a backbone that does not say."""
    info = getattr(getattr(backbone, 'timm_model', None), 'feature_info', None)
    return info.channels()[-1] if hasattr(info, 'channels') else None


def probed_channels(backbone: nn.Module) -> int:
    """Channels of the last map as one blank image shows them."""
    training = {module: module.training for module in backbone.modules()}
    backbone.eval()
    parameter = next(backbone.parameters())
    with torch.no_grad():
        image = parameter.new_zeros(1, 3, PROBE_SIZE, PROBE_SIZE)
        channels = backbone(image)[-1].shape[1]
    for module, mode in training.items():
        module.training = mode
    return channels


def is_channels_last(backbone: nn.Module) -> bool:
    """Whether the maps are (N, H, W, C), as of Swin and three other families of timm."""
    return getattr(getattr(backbone, 'timm_model', None), 'output_fmt', 'NCHW') == 'NHWC'
