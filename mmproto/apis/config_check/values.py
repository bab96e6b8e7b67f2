"""Values against what they can be: what an argument is annotated with, and what its name says."""

import math
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, Literal

from mmproto.apis.config_check.finding import Finding, valued
from mmproto.apis.config_check.names import class_of
from mmproto.apis.config_check.parts import Part, is_list, listed
from mmproto.apis.config_check.signature import NOTHING, signature_of

# Numbers that go by the same name wherever they are: the least, and whether they are whole.
LEAST: dict[str, tuple[float, bool]] = dict(
    accumulative_counts=(1, True),
    base_batch_size=(1, True),
    batch_size=(1, True),
    depth=(1, True),
    in_channels=(1, True),
    least=(0, True),
    max_epochs=(1, True),
    max_keep_ckpts=(-1, True),
    num_classes=(1, True),
    num_digits=(0, True),
    num_workers=(0, True),
    out_channels=(1, True),
    per_class=(1, True),
    prefetch_factor=(1, True),
    seed=(0, True),
    step_size=(1, True),
    times=(1, True),
    val_begin=(0, True),
    val_interval=(1, True),
    window_size=(1, True),
    eps=(0, False),
    gamma=(0, False),
    lr=(0, False),
    momentum=(0, False),
    weight=(0, False),
    weight_decay=(0, False),
)
# Of these, those that NumPy and the operating system set an end to.
MOST = dict(num_workers=1000, seed=2**32 - 1)
# Of these, those that are never several.
SINGLE = {
    'accumulative_counts', 'base_batch_size', 'batch_size', 'interval', 'max_epochs',
    'max_keep_ckpts', 'num_digits', 'num_workers', 'seed', 'times', 'val_begin', 'val_interval',
    'window_size',
}  # fmt: skip
# Whole numbers that say how often: never is -1, and 0 cannot be.
OFTEN = {'interval'}
POSITIVE = {'max_norm', 'tolerance'}
CHANCES = {
    'prob', 'erase_prob', 'val_share', 'drop_rate', 'drop_path_rate', 'attn_drop_rate',
    'proj_drop_rate',
}  # fmt: skip
WORDS = {
    bool: 'True or False',
    int: 'a whole number',
    float: 'a number',
    str: 'a text',
    Path: 'a text',
    dict: 'a dict',
    list: 'a list',
    type(None): 'None',
}
SCALARS = (bool, int, float, str, type(None))


def check_values(part: Part) -> Iterator[Finding]:
    """Check the values of a part's arguments against the annotations of its class."""
    built = class_of(part)
    if built is None or not isinstance(part.config, Mapping):
        return
    arguments = signature_of(built).arguments
    for name, value in part.config.items():
        default, annotation, _ = arguments.get(name, (NOTHING, NOTHING, False))
        if name in part.given or annotation is NOTHING:
            annotation = bool if isinstance(default, bool) and isinstance(value, str) else NOTHING
        fits = annotation is NOTHING or _same(value, default) or _fits(value, annotation)
        if not fits and not is_number(value, name):
            words = ' or '.join(dict.fromkeys(_words(annotation)))
            yield Finding(
                f'{part.setting}.{name}', _has_to_be(f'{part.setting}.{name}', value, words)
            )


def check_numbers(setting: str, config: Any) -> Iterator[Finding]:
    """Check numbers that mean the same wherever they are, and that none is NaN."""
    if isinstance(config, Mapping):
        for key, value in config.items():
            name = f'{setting}.{key}' if setting else str(key)
            yield from _check_number(name, str(key), value)
            yield from check_numbers(name, value)
    elif is_list(config):
        for number, value in enumerate(config):
            yield from check_numbers(f'{setting}.{number}', value)
    elif isinstance(config, float) and math.isnan(config):
        yield Finding(setting, f'{setting}=nan: give a number')


def _check_number(setting: str, name: str, value: Any) -> Iterator[Finding]:
    """Check a setting by what its last name says; what is no number is left to its class."""
    if name in SINGLE and isinstance(value, bool | str | list | tuple | Mapping):
        yield Finding(setting, _has_to_be(setting, value, 'a whole number'))
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return
    whole = isinstance(value, int)
    if name in LEAST:
        least, only_whole = LEAST[name]
        kind = 'a whole number' if only_whole else 'a number'
        if value < least or math.isinf(value) or (only_whole and not whole):
            yield Finding(setting, _has_to_be(setting, value, f'{kind} of at least {least:g}'))
        elif value > MOST.get(name, math.inf):
            yield Finding(setting, _has_to_be(setting, value, f'at most {MOST[name]}'))
    elif name in OFTEN and (value == 0 or value < -1 or not whole):
        yield Finding(setting, _has_to_be(setting, value, 'a whole number of at least 1'))
    elif name in POSITIVE and not 0 < value < math.inf:
        yield Finding(setting, _has_to_be(setting, value, 'a number above 0'))
    elif name in CHANCES and not 0 <= value <= 1:
        yield Finding(setting, _has_to_be(setting, value, 'a number from 0 to 1'))


def check_intervals(loop: Any) -> Iterator[Finding]:
    """Check ``train_cfg.dynamic_intervals``: pairs of an epoch and how often is validated then."""
    pairs = loop.get('dynamic_intervals') if isinstance(loop, Mapping) else None
    for pair in listed(pairs):
        whole = is_list(pair) and len(pair) == 2 and all(type(one) is int for one in pair)
        if not whole or pair[0] < 0 or pair[1] < 1:
            place = 'train_cfg.dynamic_intervals'
            words = 'a list of pairs: an epoch, and a whole number of at least 1'
            yield Finding(place, _has_to_be(place, pairs, words))


def is_number(value: Any, name: str) -> bool:
    """Whether a number is judged by its name already."""
    return isinstance(value, Real) and not isinstance(value, bool) and name in LEAST


def _has_to_be(setting: str, value: Any, words: str) -> str:
    return f'{valued(setting, value)}: it has to be {words}'


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and isinstance(value, SCALARS) and value == default


def _fits(value: Any, annotation: Any) -> bool:
    """Whether a value can be what is annotated; what is not known well is let through."""
    origin = typing.get_origin(annotation) or annotation
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, one) for one in typing.get_args(annotation))
    if origin is Literal:
        return value in typing.get_args(annotation)
    if origin in (bool, int, float, str):
        return _fits_scalar(value, origin)
    if origin is type(None):
        return value is None
    if origin is Path:
        return isinstance(value, str | Path)
    if not isinstance(origin, type):
        return True
    if value is None:  # annotations forget that, too
        return True
    return not issubclass(origin, Mapping | Sequence) or not isinstance(value, SCALARS)


def _fits_scalar(value: Any, kind: type) -> bool:
    if not isinstance(value, SCALARS):  # annotations forget that there may be several
        return True
    if kind is bool:
        return isinstance(value, bool) or (isinstance(value, int) and value in (0, 1))
    if kind in (int, float):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return kind is float or math.isfinite(value)
    return isinstance(value, kind)


def _words(annotation: Any) -> Iterator[str]:
    origin = typing.get_origin(annotation) or annotation
    if origin in (typing.Union, types.UnionType):
        for one in typing.get_args(annotation):
            yield from _words(one)
    elif origin is Literal:
        yield from map(repr, typing.get_args(annotation))
    elif origin in WORDS:
        yield WORDS[origin]
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield WORDS[dict]
    elif isinstance(origin, type) and issubclass(origin, Sequence):
        yield WORDS[list]
    else:
        yield f'a {getattr(origin, "__name__", origin)}'
