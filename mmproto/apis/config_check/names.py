"""Names against what there is: types against the registries, arguments against signatures."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mmengine.registry import Registry

from mmproto.apis.config_check.finding import Finding, did_you_mean, nearest
from mmproto.apis.config_check.parts import Part
from mmproto.apis.config_check.signature import NOTHING, Signature, signature_of
from mmproto.models.build import no_subclass

# What MMEngine itself reads of any config, and never hands on.
ANYWHERE = {'type', '_scope_'}
# Where other names may be taken, only a slip of the finger is one.
SURELY_ALIKE = 0.85


def class_of(part: Part) -> Callable | None:
    """Return the class that a part names, None where there is none."""
    name = part.config.get('type', part.default) if isinstance(part.config, Mapping) else None
    if not isinstance(name, str):
        return name if callable(name) else None
    try:
        return part.registry.get(name)
    except Exception:  # MMEngine imports what has dots in its name
        return None


def check_names(part: Part) -> Iterator[Finding]:
    """Check the type of a part, and the names of its arguments."""
    config = part.config
    if not isinstance(config, Mapping):
        if config is None or isinstance(config, str | bytes | int | float | list | tuple):
            yield Finding(
                part.setting, f'{part.setting}={config!r}: give a dict with its type and settings'
            )
        return
    name = config.get('type', part.default)
    if name is None:
        yield _no_type(part)
        return
    built = class_of(part)
    if built is None:
        what = part.registry.name.replace('_', ' ')
        yield Finding(
            f'{part.setting}.type',
            f'{part.setting}.type={name!r} is no {what} that is registered; '
            f'{did_you_mean(name, _names(part.registry))} (one of your own is found if '
            'custom_imports names its module)',
        )
        return
    if part.base and not (isinstance(built, type) and issubclass(built, part.base)):
        message = f'{part.setting}.{no_subclass(name, part.base)}'
        yield Finding(f'{part.setting}.type', message)
        return
    yield from _check_arguments(part, signature_of(built), _word(name))


def _check_arguments(part: Part, signature: Signature, name: str) -> Iterator[Finding]:
    given = {*part.given, *ANYWHERE}
    taken = {*signature.arguments} - part.given
    for argument in part.config:
        unknown = argument not in taken and argument not in given
        misspelt = nearest(argument, taken, SURELY_ALIKE) if signature.is_open else argument
        if unknown and misspelt:
            yield Finding(
                f'{part.setting}.{argument}',
                f'{name} takes no {argument}; {did_you_mean(argument, taken)}',
            )
    lacking = [
        name
        for name, argument in signature.arguments.items()
        if argument.is_own and argument.default is NOTHING and name not in {*part.config, *given}
    ]
    # A classifier may give its parts what it knows.
    if lacking and not signature.is_open and part.registry.name != 'model':
        yield Finding(part.setting, f'{name} needs {", ".join(lacking)}: set it in {part.setting}')


def _no_type(part: Part) -> Finding:
    place, _, own = part.setting.rpartition('.')
    known = dict(
        default_hooks=(
            'timer', 'logger', 'param_scheduler', 'checkpoint', 'sampler_seed', 'runtime_info',
            'visualization',
        )
    ).get(place, ())  # fmt: skip
    hint = did_you_mean(own, known) if known and own not in known else 'name its class'
    return Finding(part.setting, f'{part.setting} has no type; {hint}')


def _names(registry: Registry) -> set[str]:
    """Return what a registry and its parents know, to be compared with."""
    names: set[str] = set()
    place: Registry | None = registry
    while place is not None:
        names |= {*place.module_dict}
        place = place.parent
    return names


def _word(name: Any) -> str:
    return name if isinstance(name, str) else getattr(name, '__name__', str(name))
