"""What images a network was trained with: their normalisation, size and interpolation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import PurePosixPath
from typing import Any

from mmpretrain.apis import ModelHub
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import resolve_pretrained_cfg
from torch import nn

# Settings of a pipeline's step that say how large its images are.
SIZES = {'Resize': 'scale', 'CenterCrop': 'crop_size'}
# Settings by which a network that is built for one size takes any.
FREE_SIZE = dict(dynamic_img_size=True, strict_img_size=False, use_naflex=True)


@dataclass(frozen=True)
class NetworkInput:
    """What a network was trained with.

    Attributes:
        source: What says so, None where nothing does: the rest is ImageNet's then.
        mean: Mean of each channel, for values from 0 to 255.
        std: Standard deviation of each channel, likewise.
        to_rgb: Whether the channels are red, green, blue, which MMCV loads the other way round.
        size: Height and width in pixels, None where it is not known.
        interpolation: How its images were resized, None where it is not known.
        fixed_size: Whether it takes images of that size alone.
    """

    source: str | None = None
    mean: tuple[float, ...] = tuple(255 * value for value in IMAGENET_DEFAULT_MEAN)
    std: tuple[float, ...] = tuple(255 * value for value in IMAGENET_DEFAULT_STD)
    to_rgb: bool = True
    size: tuple[int, int] | None = None
    interpolation: str | None = None
    fixed_size: bool = False


def input_of(backbone: nn.Module) -> NetworkInput:
    """Return the input of a backbone that is built."""
    pretrained = getattr(getattr(backbone, 'timm_model', None), 'pretrained_cfg', None)
    if pretrained:
        return _of_timm(pretrained)
    return _of_zoo(getattr(backbone, 'init_cfg', None))


def input_of_config(backbone: Mapping[str, Any]) -> NetworkInput:
    """Return the input of the backbone that a config describes; nothing is built for it.

    Its ``img_size``, where it has one, is the size that it is built for.
    """
    name = backbone.get('model_name')
    if not str(backbone.get('type')).endswith('TIMMBackbone') or name is None:
        return _resized(_of_zoo(backbone.get('init_cfg')), backbone)
    if ':' in name:  # what hf-hub: and local-dir: name is not known before it is loaded
        return _resized(NetworkInput(), backbone)
    declared = (backbone.get('pretrained_cfg'), backbone.get('pretrained_cfg_overlay'))
    return _resized(_of_timm(resolve_pretrained_cfg(name, *declared).to_dict()), backbone)


def pipeline_size(pipeline: Sequence[Mapping[str, Any]]) -> tuple[int, int] | None:
    """Height and width that a pipeline brings images to, None where its steps do not say so."""
    for step in reversed(pipeline):
        size = step.get(SIZES.get(step['type'], '')) if not step.get('keep_ratio') else None
        if size is not None:
            width, height = (size, size) if isinstance(size, int) else size
            return height, width
    return None


def _of_timm(pretrained: Mapping[str, Any]) -> NetworkInput:
    """Read timm's ``pretrained_cfg``, whose values are from 0 to 1."""
    tag = pretrained.get('tag')
    name = pretrained.get('architecture') or 'the network'
    return NetworkInput(
        source=f'{name}.{tag}' if tag else name,
        mean=tuple(round(255 * value, 6) for value in pretrained['mean']),
        std=tuple(round(255 * value, 6) for value in pretrained['std']),
        size=tuple(pretrained['input_size'][-2:]),
        interpolation=pretrained.get('interpolation'),
        fixed_size=bool(pretrained.get('fixed_input_size')),
    )


def _of_zoo(init_cfg: Any) -> NetworkInput:
    """Read the config that MMPretrain's zoo has of a checkpoint; a copy keeps the file's name."""
    checkpoint = init_cfg.get('checkpoint') if isinstance(init_cfg, Mapping) else None
    name = _zoo_names().get(PurePosixPath(checkpoint).name) if checkpoint else None
    if name is None:
        return NetworkInput()
    cfg = ModelHub.get(name).config
    given = cfg.get('data_preprocessor') or cfg.model.get('data_preprocessor') or {}
    if given.get('mean') is None:
        return NetworkInput()
    pipeline = cfg.get('test_pipeline') or []
    resizes = [step for step in pipeline if 'Resize' in step['type']]
    return NetworkInput(
        source=name,
        mean=tuple(given['mean']),
        std=tuple(given['std']),
        to_rgb=given.get('to_rgb', False),
        size=pipeline_size(pipeline),
        interpolation=resizes[-1].get('interpolation', 'bilinear') if resizes else None,
    )


@cache
def _zoo_names() -> dict[str, str]:
    """Names of the models in MMPretrain's zoo by their checkpoints' files."""
    ModelHub._register_mmpretrain_models()
    return {
        PurePosixPath(model.weights).name: name
        for name, model in ModelHub._models_dict.items()
        if model.weights
    }


def _resized(network: NetworkInput, backbone: Mapping[str, Any]) -> NetworkInput:
    """Return the input with what a backbone's config says of its size."""
    size, fixed = backbone.get('img_size'), network.fixed_size
    if size is not None:
        network = replace(network, size=(size, size) if isinstance(size, int) else tuple(size))
        fixed = True
    free = any(backbone.get(name) == value for name, value in FREE_SIZE.items())
    return replace(network, fixed_size=fixed and not free)
