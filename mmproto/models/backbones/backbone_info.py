"""What a backbone says of the images it takes and of its last feature map."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmproto.errors import InputError

# For backbones that do not say what they take.
IMAGE_SIZE = (224, 224)
IMAGE_CHANNELS = 3

# What networks raise for images that they cannot take.
FAILURES = (AssertionError, RuntimeError)


def declared_channels(backbone: nn.Module) -> int | None:
    """Channels of the last map as timm declares them, None for a backbone that does not say."""
    info = getattr(getattr(backbone, 'timm_model', None), 'feature_info', None)
    return None if info is None or not hasattr(info, 'channels') else info.channels()[-1]


def probed_channels(backbone: nn.Module) -> int:
    """Channels of the last map as one blank image shows them.

    Raises:
        InputError: If the backbone gives no feature map, or cannot take the image.
    """
    height, width = image_size(backbone)
    try:
        return _probe(backbone, (image_channels(backbone), height, width)).shape[1]
    except FAILURES as error:
        raise InputError(
            f'a blank image of {height} x {width} does not go through model.backbone ({error}): '
            'set model.neck.in_channels to the channels of its last feature map'
        ) from error


def image_size(backbone: nn.Module) -> tuple[int, int]:
    """Height and width of the images that the backbone is built for, 224 x 224 if any will do."""
    network = getattr(backbone, 'timm_model', backbone)
    sizes = (getattr(module, 'img_size', None) for module in network.modules())
    declared = getattr(network, 'default_cfg', {}).get('input_size', IMAGE_SIZE)[-2:]
    size = next((size for size in sizes if size is not None), declared)
    return (size, size) if isinstance(size, int) else tuple(size)


def image_channels(backbone: nn.Module) -> int:
    """Channels of the images that the backbone takes, if need be those of its first convolution."""
    network = getattr(backbone, 'timm_model', backbone)
    convolutions = (module for module in network.modules() if isinstance(module, nn.Conv2d))
    first = next((module.in_channels for module in convolutions), IMAGE_CHANNELS)
    return getattr(network, 'in_chans', first)


def is_channels_last(backbone: nn.Module) -> bool:
    """Whether the maps are (N, H, W, C), as of Swin and three other families of timm."""
    return getattr(getattr(backbone, 'timm_model', None), 'output_fmt', 'NCHW') == 'NHWC'


def last_map(feats: Tensor | Sequence[Tensor], channels_last: bool) -> Tensor:
    """Return the backbone's last feature map as (N, C, H, W).

    Args:
        feats: What the backbone gives: its maps, or the last of them.
        channels_last: Whether the maps are (N, H, W, C).

    Raises:
        InputError: If that is no feature map.
    """
    features = feats if isinstance(feats, Tensor) else feats[-1]
    if not isinstance(features, Tensor) or features.ndim != 4:
        shape = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
        raise InputError(
            f'model.backbone gives {shape}, no feature map (N, C, H, W): set features_only=True, '
            "out_indices=(-1,) for one of timm's, out_type='featmap' for MMPretrain's "
            'transformers, gap_before_final_norm=False for its ConvNeXt'
        )
    return features.permute(0, 3, 1, 2) if channels_last else features


def check_image_size(backbone: nn.Module, shape: tuple[int, int, int]) -> None:
    """Try one blank image.

    Args:
        backbone: The backbone of a classifier.
        shape: Shape (C, H, W) of the images that the data set gives.

    Raises:
        InputError: If the backbone cannot take images of this size; it names sizes that it can.
    """
    if takes_images(backbone, shape):
        return
    channels, height, width = shape
    nearby = [image_size(backbone), *_multiples_around(height, width)]
    sizes = [size for size in dict.fromkeys(nearby) if takes_images(backbone, (channels, *size))]
    named = ', '.join(f'{rows} x {columns}' for rows, columns in sizes) or 'perhaps another size'
    raise InputError(
        f'model.backbone cannot take images of {height} x {width} (height x width), but {named}: '
        "change the Resize and crops of the data sets' pipelines to that, or, for a transformer "
        'that is built for one size, model.backbone.img_size'
    )


def takes_images(backbone: nn.Module, shape: tuple[int, int, int]) -> bool:
    """Whether a blank image of a shape (C, H, W) goes through the backbone."""
    try:
        _probe(backbone, shape)
    except FAILURES:
        return False
    return True


def one_patch_warning(
    backbone: nn.Module, shape: tuple[int, int, int], patch: Sequence[int]
) -> str | None:
    """Return what to say where an image has a single patch, so that no prototype has a place.

    Args:
        backbone: The backbone of a classifier.
        shape: Shape (C, H, W) of an input that it takes.
        patch: Height and width of a prototype in the feature map.
    """
    height, width = _probe(backbone, shape).shape[-2:]
    if (height, width) != tuple(patch):
        return None
    return (
        f'the network sees the image as one patch (feature map of {height} x {width}), so that '
        'every box is the whole image: set model.backbone.out_indices=(-2,), or give it larger '
        'images'
    )


def _multiples_around(height: int, width: int, step: int = 32) -> list[tuple[int, int]]:
    """Return the next smaller and the next larger size in multiples of a step."""
    smaller = max(step, height // step * step), max(step, width // step * step)
    larger = -(-height // step) * step, -(-width // step) * step
    return [smaller, larger]


@torch.no_grad()
def _probe(backbone: nn.Module, shape: tuple[int, int, int]) -> Tensor:
    """Return the last map (1, D, H', W') of a blank image (C, H, W); the backbone stays."""
    training = {module: module.training for module in backbone.modules()}
    parameter = next(backbone.parameters())
    backbone.eval()
    try:
        feats = backbone(parameter.new_zeros(1, *shape))
    finally:
        for module, mode in training.items():
            module.training = mode
    return last_map(feats, is_channels_last(backbone))
