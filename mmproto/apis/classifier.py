"""Loads a classifier of which a checkpoint has all the weights."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from mmpretrain import get_model
from mmpretrain.apis import ModelHub
from mmpretrain.models import ImageClassifier

from mmproto.apis.load_config import load_config
from mmproto.errors import InputError
from mmproto.models.loaded_weights import check_finite
from mmproto.utils.files import existing_checkpoint


def load_classifier(config: Config | str, checkpoint: str) -> ImageClassifier:
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
        cfg = load_config(config)
    else:
        cfg = ModelHub.get(config).config
    existing_checkpoint(checkpoint)
    if cfg.get('test_dataloader') is None:
        cfg.pop('test_dataloader', None)  # MMPretrain looks into one that is None
    without_pretrained(cfg)
    model = get_model(cfg)
    with own_checkpoint(cfg, checkpoint):
        saved = load_checkpoint(model, checkpoint, map_location='cpu', strict=True)
    check_finite(model, checkpoint)
    model._dataset_meta = saved.get('meta', {}).get('dataset_meta') or model._dataset_meta
    return model


def without_pretrained(cfg: Config) -> None:
    """Ask for no pretrained backbone: all weights are to come from a checkpoint."""
    if 'pretrained' in cfg.model.backbone:
        cfg.model.backbone.pretrained = False


@contextmanager
def own_checkpoint(cfg: Config, checkpoint: str) -> Iterator[None]:
    """Load a checkpoint strictly in here.

    Raises:
        InputError: If it is of another network.
    """
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


def class_names(model: ImageClassifier) -> list[str]:
    """Names of the classes that the model was trained on, or their numbers."""
    named = (getattr(model, '_dataset_meta', None) or {}).get('classes') or ()
    count = model.head.num_classes
    return (
        [str(name) for name in named]
        if len(named) == count
        else [f'class {label}' for label in range(count)]
    )


class Classes(NamedTuple):
    """What a network tells apart: what to call the network, how many classes, their names."""

    network: str
    number: int
    names: Sequence[str]


def check_same_classes(one: Classes, other: Classes, advice: str) -> None:
    """Raise an InputError, with the advice, for networks that do not tell the same classes apart.

    Only names that both know are compared.
    """
    if one.number != other.number:
        raise InputError(
            f'{one.network} has {one.number} classes and {other.network} has {other.number}: '
            f'{advice}'
        )
    for label, (ours, theirs) in enumerate(zip(one.names, other.names)):
        if ours != theirs:
            raise InputError(
                f'class {label} is {ours!r} for {one.network} and {theirs!r} for '
                f'{other.network}: {advice}'
            )


def check_own_classes(
    meta: Mapping[str, Any], num_classes: int, setting: str, dataset: Any
) -> None:
    """Check that data have the classes that a checkpoint was trained on.

    Args:
        meta: What the checkpoint says of its training.
        num_classes: Number of classes of its network.
        setting: The loader whose data set it is.
        dataset: The data set.

    Raises:
        InputError: If it has others.
    """
    trained_on = (meta.get('dataset_meta') or {}).get('classes') or ()
    given = getattr(dataset, 'metainfo', {}).get('classes') or ()
    check_same_classes(
        Classes('the checkpoint', num_classes, trained_on),
        Classes(f'{setting}.dataset', len(given) or num_classes, given),
        'give the data that it was trained on',
    )
