"""Whether a config goes on with the training that a checkpoint is of."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mmproto.engine.schedule import Schedule
from mmproto.errors import InputError

# What a training is; of the schedule only what has been is compared.
BINDING = ('model', 'optim_wrapper', 'param_scheduler')
# What may change, so that the rest is not what it would have been.
NOTED = ('train_cfg', 'train_dataloader', 'processes')
# Where first weights come from, which a checkpoint replaces, and what no number follows from.
FREE = {
    *('pretrained', 'init_cfg', 'checkpoint_path', 'pretrained_cfg_overlay'),
    *('max_epochs', 'persistent_workers', 'pin_memory', 'prefetch_factor'),
}
NAMED = 3


def training_settings(cfg: Mapping[str, Any], processes: int, schedule: Schedule | None) -> str:
    """Return what a checkpoint keeps of its training's config, as JSON.

    Args:
        cfg: The config.
        processes: Number of processes.
        schedule: The schedule, of a ProtoPNet.
    """
    settings = {name: cfg.get(name) for name in BINDING + NOTED}
    settings['processes'] = processes
    if schedule is not None:
        wrapper = {**(settings['optim_wrapper'] or {})}
        wrapper['schedule'] = [_epoch(schedule, epoch) for epoch in range(schedule.total_epochs)]
        settings['optim_wrapper'] = wrapper
    return json.dumps(settings, default=str)


def check_same_training(saved: str, given: str, epoch: int) -> list[str]:
    """Compare the settings of a checkpoint with those of the run that is to go on from it.

    Args:
        saved: What :func:`training_settings` gave for the checkpoint.
        given: What it gives for the run.
        epoch: Number of epochs that the checkpoint has been trained.

    Returns:
        What may differ and does, one line each.

    Raises:
        InputError: If it is another training, or its schedule has been another one.
    """
    was, now = json.loads(saved), json.loads(given)
    future = 'the schedule from here on is another one'
    other = [future] if _cut(was, epoch) != _cut(now, epoch) else []
    differ = list(_differences({name: was.get(name) for name in BINDING}, now))
    if differ:
        more = f'; and {len(differ) - NAMED} more' if len(differ) > NAMED else ''
        raise InputError(
            f'resume: the checkpoint is of another training: {"; ".join(differ[:NAMED])}{more}. '
            'Go on with the config that it was trained with, or set load_from to it to begin anew'
        )
    return other + list(_differences({name: was.get(name) for name in NOTED}, now))


def _cut(settings: dict, epoch: int) -> list:
    """Take the epochs to come out of the settings, and return them."""
    wrapper = settings.get('optim_wrapper') or {}
    if not isinstance(wrapper.get('schedule'), list):
        return [(settings.get('train_cfg') or {}).get('max_epochs')]
    schedule = wrapper['schedule']
    wrapper['schedule'] = schedule[:epoch]
    return schedule[epoch:]


def _epoch(schedule: Schedule, epoch: int) -> str:
    """Say what an epoch is and what follows it."""
    push = ['push'] if epoch in schedule.pushes else []
    restart = ['restart'] if epoch in schedule.restarts else []
    return ' '.join([*restart, schedule.stages[epoch], *push, *schedule.solvers_after(epoch)])


def _differences(was: Any, now: Any, place: str = '') -> Iterator[str]:
    """Say what is in the first and not the same in the second, by dotted names."""
    if isinstance(was, dict) and isinstance(now, dict):
        # At the top the second has more, of which nothing is to be said.
        for name in was if not place else dict.fromkeys([*was, *now]):
            if name not in FREE:
                inner = f'{place}.{name}' if place else name
                yield from _differences(was.get(name), now.get(name), inner)
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for index, (old, new) in enumerate(zip(was, now)):
            yield from _differences(old, new, f'{place}.{index}')
    elif was != now:
        yield f'{place} was {_short(was)} and is {_short(now)}'


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f'{text[:57]}...'
