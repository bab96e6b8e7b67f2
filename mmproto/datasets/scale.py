"""How large images go into the network: one setting of every config, ``scale``."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger

from mmproto.datasets.image_limits import check_image_size
from mmproto.errors import InputError
from mmproto.models.backbones.network_input import NetworkInput, input_of_config

NETWORK = 'network'
# What 'network' stands for until the network is known, and where it does not say its size.
SIZE = (224, 224)
# Interpolations that both timm and Pillow have.
INTERPOLATIONS = ('nearest', 'bilinear', 'bicubic', 'lanczos')


def image_scale(text: str) -> tuple[int, int]:
    """Width and height out of '320x256', what the SCALE of the environment is.

    .. code:: python

        scale = '{{$SCALE:224x224}}'  # in a config
        resize = dict(type='Resize', scale=image_scale(scale))

    'network' gives 224 x 224, which :func:`fit_scale` makes the size of the network.

    Raises:
        InputError: It is no such pair, or of more pixels than an image may have.
    """
    if text == NETWORK:
        return SIZE
    sides = text.split('x')
    if len(sides) != 2 or not all(side.isdecimal() and int(side) > 0 for side in sides):
        raise InputError(
            f'SCALE={text}: give width and height in pixels, such as SCALE=320x256, or network'
        )
    width, height = map(int, sides)
    check_image_size(f'SCALE={text}', width, height)
    return width, height


def fit_scale(cfg: Config, chosen: bool) -> None:
    """Let a config's images have the size and interpolation of its network, where it asks for it.

    That is where ``scale`` or ``interpolation`` is 'network', and where a network is built for
    images of one size and nobody has chosen another. Every ``Resize`` of the size that ``scale``
    says follows; one with a size of its own stays. What was found takes the place of 'network', so
    that a config that is saved needs no network to be read.

    Args:
        cfg: The config, with the network that it ends up with; one without ``scale`` stays.
        chosen: Whether the user has set ``scale``.
    """
    model = cfg.get('model')
    backbone = model.get('backbone') if isinstance(model, Mapping) else None
    if not isinstance(cfg.get('scale'), str) or not isinstance(backbone, Mapping):
        return
    network = input_of_config(backbone)
    before = image_scale(cfg.scale)
    after = _scale(cfg.scale, network, chosen)
    changes: dict[str, Any] = dict(scale=after)
    if 'interpolation' in cfg:
        changes['interpolation'] = _interpolation(cfg.interpolation, network)
    if (cfg.scale, cfg.get('interpolation')) == (_text(after), changes.get('interpolation')):
        return
    for step in _resizes(cfg._cfg_dict, before):
        step.update(changes)
    cfg.merge_from_dict({**changes, 'scale': _text(after)})
    MMLogger.get_current_instance().info(
        f'Images are resized to {_text(after)} (width x height)'
        + (f', {changes["interpolation"]}' if 'interpolation' in changes else '')
        + (f', for {network.source}' if network.source else '')
    )


def _scale(scale: str, network: NetworkInput, chosen: bool) -> tuple[int, int]:
    """Width and height that images are to have."""
    follows = scale == NETWORK or (network.fixed_size and not chosen)
    return network.size[::-1] if follows and network.size else image_scale(scale)


def _interpolation(interpolation: str, network: NetworkInput) -> str:
    """Return the interpolation that images are to be resized by."""
    if interpolation != NETWORK:
        return interpolation
    return network.interpolation if network.interpolation in INTERPOLATIONS else 'bilinear'


def _resizes(node: Any, scale: tuple[int, int]) -> Iterator[dict]:
    """Yield the config of every ``Resize`` to a scale, wherever it is."""
    if isinstance(node, dict):
        if node.get('type') == 'Resize' and node.get('scale') in (scale, list(scale)):
            yield node
        for child in node.values():
            yield from _resizes(child, scale)
    elif isinstance(node, tuple | list):
        for child in node:
            yield from _resizes(child, scale)


def _text(scale: tuple[int, int]) -> str:
    return f'{scale[0]}x{scale[1]}'
