"""Loads a classifier of which a checkpoint has all the weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from mmpretrain import get_model
from mmpretrain.apis import ModelHub
from torch import nn

from mmproto.errors import InputError


def load_classifier(config: Config | str, checkpoint: str) -> nn.Module:
    """Build what a config describes, with a checkpoint's weights and nothing from elsewhere.

    Args:
        config: The config of a ProtoPNet, or of any other classifier of MMPretrain; its file, or
            its name in the model index.
        checkpoint: Its checkpoint, a file or an address.

    Returns:
        The classifier on the CPU, in eval mode, with ``_config`` and ``_dataset_meta`` as
        MMPretrain's ``get_model`` sets them.

    Raises:
        InputError: If the checkpoint is not of this network.
    """
    init_default_scope('mmpretrain')
    if not isinstance(config, str):
        cfg = deepcopy(config)
    elif config.endswith('.py'):
        cfg = Config.fromfile(config)
    else:
        cfg = ModelHub.get(config).config
    if 'pretrained' in cfg.model.backbone:
        cfg.model.backbone.pretrained = False  # the weights come from the checkpoint
    model = get_model(cfg)
    with own_checkpoint(cfg, checkpoint):
        saved = load_checkpoint(model, checkpoint, map_location='cpu', strict=True)
    model._dataset_meta = saved.get('meta', {}).get('dataset_meta') or model._dataset_meta
    return model


@contextmanager
def own_checkpoint(cfg: Config, checkpoint: str) -> Iterator[None]:
    """Load a checkpoint strictly in here: one of another network is answered by an InputError."""
    try:
        yield
    except RuntimeError as error:
        if 'state_dict' not in str(error):
            raise
        name = Path(cfg.filename or 'the config').name
        raise InputError(
            f'{checkpoint} is not of the network in {name}: give a checkpoint that was trained '
            'with it'
        ) from None


def class_names(model: nn.Module) -> list[str]:
    """Names of the classes that the model was trained on, or their numbers."""
    named = (getattr(model, '_dataset_meta', None) or {}).get('classes') or ()
    count = model.head.num_classes
    return list(named) if len(named) == count else [f'class {label}' for label in range(count)]
