"""The optimizer of every stage: names and values of the groups, and what no stage makes use of."""

from collections.abc import Iterable, Iterator, Mapping
from numbers import Real
from typing import Any

from mmengine.registry import Registry
from mmpretrain.registry import OPTIMIZERS

from mmproto.apis.config_check.finding import VERY_ALIKE, Finding, did_you_mean, nearest, valued
from mmproto.apis.config_check.names import class_of
from mmproto.apis.config_check.parts import Part
from mmproto.apis.config_check.signature import signature_of
from mmproto.engine.schedule import Schedule, build_schedule
from mmproto.engine.stage import LAYER_SETTINGS, Stage, build_stages
from mmproto.errors import InputError

REGISTRY: Registry = OPTIMIZERS


def check_stages(wrapper: Mapping, tunes_last_layer: bool = True) -> Iterator[Finding]:
    """Check ``optim_wrapper.stages`` and ``.schedule`` of a staged training."""
    try:
        stages = build_stages(wrapper.get('stages'))
    except InputError as error:
        yield Finding('', str(error))
        return
    for name, stage in stages.items():
        if stage.solver is None:
            yield from _check_groups(name, stage, wrapper.get('optimizer'))
    yield from _unused_of_optimizer(stages, wrapper.get('optimizer'))
    try:
        schedule = build_schedule(wrapper.get('schedule'), stages, tunes_last_layer)
    except InputError as error:
        yield Finding('', str(error))
        return
    yield from _misspelt_stages(stages, stages_that_run(schedule))


def stages_that_run(schedule: Schedule) -> set[str]:
    """Return the names of the stages that a schedule has an epoch or a run of."""
    return {phase.stage for phase in schedule.phases}


def _check_groups(name: str, stage: Stage, common: Any) -> Iterator[Finding]:
    place = f'optim_wrapper.stages.{name}'
    optimizer = stage.optimizer if stage.optimizer is not None else common
    built = class_of(Part('', optimizer, REGISTRY))
    taken = signature_of(built) if built else None
    known = {*taken.arguments, *LAYER_SETTINGS} - {'params'} if taken else set()
    for group, settings in stage.groups.items():
        for key, value in settings.items():
            setting = f'{place}.{group}.{key}'
            if taken and not taken.is_open and key not in known:
                yield Finding(
                    setting,
                    f'{optimizer["type"]} takes no {key} for a group; '
                    f'{did_you_mean(key, {*known} - {"foreach", "fused", "capturable"})}',
                )
            elif key in ('lr', 'weight_decay', 'momentum') and not _is_number(value):
                yield Finding(
                    setting, f'{valued(setting, value)}: it has to be a number of at least 0'
                )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _unused_of_optimizer(stages: Mapping[str, Stage], common: Any) -> Iterator[Finding]:
    """Find settings of the common optimizer that every group has its own of."""
    if not isinstance(common, Mapping):
        return
    using = [s for s in stages.values() if s.solver is None and s.optimizer is None]
    groups = [settings for stage in using for settings in stage.groups.values()]
    for key, value in common.items():
        if key != 'type' and all(key in settings for settings in groups):
            setting = f'optim_wrapper.optimizer.{key}'
            yield Finding(
                setting,
                f'{valued(setting, value)} has no effect: every group of optim_wrapper.stages '
                f'has its own {key}, such as optim_wrapper.stages.joint.prototypes.{key}; set '
                'those and leave this out',
            )


def _misspelt_stages(stages: Iterable[str], run: set[str]) -> Iterator[Finding]:
    """Find stages that never run and are called almost like one that does."""
    for name in stages:
        if name not in run and (near := nearest(name, run, VERY_ALIKE)):
            yield Finding(
                f'optim_wrapper.stages.{name}',
                f'optim_wrapper.schedule never runs it; did you mean {near}?',
            )
