import inspect
from collections.abc import Mapping
from typing import Any, TypeVar

from mmpretrain.registry import MODELS
from torch import nn

from mmproto.errors import InputError

Base = TypeVar('Base', bound=nn.Module)
# What does here what MMPretrain's losses do.
INSTEAD = dict(
    CrossEntropyLoss='the cross entropy is the term model.head.loss.cls',
    LabelSmoothLoss='labels are smoothed by model.head.loss.cls.label_smoothing=0.1',
)


def build_subclass(config: Mapping | nn.Module, base: type[Base]) -> Base:
    """Build a module that has to be of a subclass.

    The class is checked before it is built: a foreign one would first trip over its arguments.

    Args:
        config: Config of a registered subclass, or a module that is built already.
        base: The class that it has to be a subclass of.

    Raises:
        InputError: If ``config`` is of another class or gives other arguments than it takes. The
            message begins with the key, so that the caller can put the path to it before.
    """
    if isinstance(config, base):
        return config
    settings = config if isinstance(config, Mapping) else dict(type=type(config).__name__)
    name = settings.get('type')
    found = MODELS.get(name) if isinstance(name, str) else name
    if not (isinstance(found, type) and issubclass(found, base)):
        raise InputError(no_subclass(name, base))
    signature = inspect.signature(found)
    try:
        signature.bind(**{k: v for k, v in settings.items() if k not in ('type', '_scope_')})
    except TypeError as error:
        taken = ', '.join(signature.parameters)
        raise InputError(f'type={name!r}: {error}; it takes {taken}') from None
    return MODELS.build(config)


def spelt_out(config: Any, setting: str, short_forms: Mapping[str, str], example: str) -> Any:
    """Return the config that a short form stands for, and any other as it is.

    Args:
        config: A short form, or what is not text.
        setting: Path of the setting.
        short_forms: Name of the class that each stands for.
        example: A config to give instead.

    Raises:
        InputError: If the short form is unknown.
    """
    if not isinstance(config, str):
        return config
    if config not in short_forms:
        raise InputError(
            f'{setting}={config!r} is unknown: choose one of {sorted(short_forms)}, '
            f'or give {example}'
        )
    return dict(type=short_forms[config])


def no_subclass(name: object, base: type) -> str:
    """Say that a type is of none of a class's subclasses, and what is."""
    advice = INSTEAD.get(str(name), 'name one of mmproto.models, or a subclass of your own')
    return f'type={name!r} is not a registered {base.__name__}: {advice}'
