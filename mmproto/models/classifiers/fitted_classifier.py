"""A classifier that reads off its backbone what follows from it."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.logging import MMLogger
from mmpretrain.models import ImageClassifier
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from mmproto.errors import InputError
from mmproto.models.backbones.backbone_info import image_channels
from mmproto.models.backbones.network_input import NetworkInput, input_of

MEMORY_FORMATS = ('contiguous_format', 'channels_last')


class FittedClassifier(ImageClassifier):
    """An image classifier that normalises images as its backbone was trained.

    Where ``data_preprocessor`` gives neither mean nor std, both and the order of the channels are
    the network's: those that timm declares, or those of the config that MMPretrain's zoo has of
    the checkpoint in ``backbone.init_cfg``; ImageNet's in the order red, green, blue where nothing
    says so. ``mean=None`` asks for no normalisation. A subclass fits neck and head as well.

    .. code:: python

        model = dict(type='ProtoPNet', memory_format='channels_last', ...)

    Args:
        backbone: Config of the backbone, or the backbone.
        neck: Config of the neck, or the neck.
        head: Config of the head, or the head.
        data_preprocessor: Config of the preprocessor; another type than MMPretrain's own for
            classifiers is left as it is.
        memory_format: How images lie in memory, torch's 'contiguous_format' or 'channels_last'.
            Convolutions give the same, but for rounding, and most are faster with the latter
            (``docs/train.md``). Weights, and with them checkpoints, stay as they are.
        settings: The other arguments of MMPretrain's ``ImageClassifier``.

    Raises:
        InputError: If ``memory_format`` is unknown.
    """

    def __init__(
        self,
        backbone: Any,
        neck: Any = None,
        head: Any = None,
        *,
        data_preprocessor: Any = None,
        memory_format: str = 'contiguous_format',
        **settings: Any,
    ) -> None:
        if memory_format not in MEMORY_FORMATS:
            raise InputError(
                f'model.memory_format={memory_format!r} is unknown: choose one of '
                f'{[*MEMORY_FORMATS]}'
            )
        if not isinstance(backbone, nn.Module):
            backbone = MODELS.build(backbone)
        super().__init__(
            backbone,
            neck,
            self.fitted_head(head, backbone),
            data_preprocessor=fitted_preprocessor(data_preprocessor, backbone),
            **settings,
        )
        self.memory_format: torch.memory_format = getattr(torch, memory_format)

    def extract_feat(self, inputs: Tensor, stage: str = 'neck') -> Any:
        """Send images (N, C, H, W) through the network, up to a stage of it."""
        return super().extract_feat(inputs.contiguous(memory_format=self.memory_format), stage)

    def fitted_head(self, head: Any, backbone: nn.Module) -> Any:
        """Return the head, or its config, with what follows from the backbone."""
        return head


def fitted_preprocessor(given: Any, backbone: nn.Module) -> Any:
    """Return a preprocessor's config with the normalisation of a backbone, and say what it is."""
    if isinstance(given, nn.Module):
        return given
    settings = dict(given or {})
    if not str(settings.get('type', 'ClsDataPreprocessor')).endswith('ClsDataPreprocessor'):
        return settings
    network = input_of(backbone)
    own = _normalisation(network, image_channels(backbone))
    logger = MMLogger.get_current_instance()
    if 'mean' in settings or 'std' in settings:
        random = hasattr(backbone, 'timm_model') and not backbone.is_init
        if network.source and not random and not _agree(settings, own):
            logger.warning(
                f'data_preprocessor normalises by {_words(settings)}, but {network.source} was '
                f'trained with {_words(own)}: leave mean, std and to_rgb out to take those'
            )
        return settings
    settings = {**own, **settings}
    reason = (
        f'as {network.source} was trained'
        if network.source
        else "ImageNet's: the backbone does not say what it was trained with"
    )
    logger.info(f'Images are normalised by {_words(settings)}, {reason}')
    return settings


def _normalisation(network: NetworkInput, channels: int) -> dict[str, Any]:
    """Mean, std and order of the channels; the average for a network of another number of them.

    timm adds up the weights of the three channels for a network of one.
    """
    mean, std = list(network.mean), list(network.std)
    if len(mean) != channels:
        mean, std = [sum(mean) / len(mean)], [sum(std) / len(std)]
    return dict(mean=mean, std=std, to_rgb=network.to_rgb)


def _agree(given: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """Whether a user's normalisation is the network's to a hundredth of a grey value."""
    if given.get('mean') is None or given.get('std') is None:
        return False
    pairs = [
        (ours, theirs)
        for name in ('mean', 'std')
        for ours, theirs in zip(_spread(given[name]), _spread(own[name]), strict=False)
    ]
    same_order = given.get('to_rgb', False) == own['to_rgb'] or len(own['mean']) == 1
    return same_order and all(abs(ours - theirs) < 0.01 for ours, theirs in pairs)


def _spread(values: list[float]) -> list[float]:
    """Return one value for each of three channels."""
    return list(values) * 3 if len(values) == 1 else list(values)


def _words(settings: Mapping[str, Any]) -> str:
    """Say a normalisation."""
    if settings.get('mean') is None:
        return 'nothing'
    mean, std = (
        ', '.join(f'{value:g}' for value in settings.get(name) or ()) for name in ('mean', 'std')
    )
    order = 'RGB' if settings.get('to_rgb') else 'as loaded'
    return f'mean [{mean}] and std [{std}], channels {order}'
