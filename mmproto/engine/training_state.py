"""The state of a training that goes on, checked before its first step."""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

import numpy as np
from mmengine.logging import HistoryBuffer
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import Tensor
from torch.optim import Optimizer

from mmproto.errors import InputError


def build_optimizers(runner: Runner) -> None:
    """Build a runner's optimizers and schedulers, where that has not been done."""
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    if runner.param_schedulers is not None:
        runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)


def check_has_state(checkpoint: Mapping[str, Any], filename: str, has_schedulers: bool) -> None:
    """Check that a checkpoint has more than weights, as MMEngine would begin with the rest anew.

    Args:
        checkpoint: The checkpoint.
        filename: Its file, for the message.
        has_schedulers: Whether the training has parameter schedulers.

    Raises:
        InputError: If it was saved without the state of optimizers or schedulers, as a best one is.
    """
    needed = dict(optimizer='optimizers', param_schedulers='schedulers')
    for key, words in needed.items():
        if key not in checkpoint and (has_schedulers or key == 'optimizer'):
            raise InputError(
                f'resume: {filename} was saved without the state of its {words}, as a best '
                f'checkpoint is: go on from an epoch_*.pth of that training (default_hooks.'
                f'checkpoint.save_{key.removesuffix("s")}=False leaves it out of those too), or '
                'set load_from to it to start anew with its weights'
            )


def settings(runner: Runner) -> dict[str, dict[str, Any]]:
    """Return the settings of the runner's optimizers and schedulers, each under its name."""
    found = {}
    for name, optimizer in _optimizers(runner):
        for number, group in enumerate(optimizer.param_groups):
            found[f'optimizer {name} group {number}'] = {
                key: value for key, value in group.items() if key != 'params'
            }
    schedulers = runner.param_schedulers or []
    named = schedulers if isinstance(schedulers, Mapping) else {'': schedulers}
    for name, listed in named.items():
        for number, scheduler in enumerate(listed):
            found[f'param_schedulers {name} {number}'] = scheduler.state_dict()
    return found


def check_training_state(runner: Runner, before: Mapping[str, Mapping[str, Any]]) -> None:
    """Check what was resumed: kinds, sizes and ranges of all numbers.

    Args:
        runner: A runner whose ``resume`` has just loaded a checkpoint.
        before: Its ``settings`` before that.

    Raises:
        InputError: If the training would go on from something else than numbers of its own kind.
    """
    epochs, epoch, iteration = runner.max_epochs, runner.train_loop._epoch, runner.train_loop._iter
    _check(type(epoch) is int and 0 <= epoch <= epochs, f'meta.epoch, of {epochs} epochs', epoch)
    _check(type(iteration) is int and 0 <= iteration < 2**31, 'meta.iter', iteration)
    after = settings(runner)
    for name, own in before.items():
        for key, value in own.items():
            given = after[name].get(key)
            _check(key in after[name] and _alike(value, given), f'{key} of {name}', given)
    for name, optimizer in _optimizers(runner):
        _check_moments(optimizer, f'optimizer {name}')
    for name, history in runner.message_hub.log_scalars.items():
        _check(_whole(history), 'message_hub.log_scalars', name)


def _optimizers(runner: Runner) -> Iterator[tuple[str, Optimizer]]:
    wrapper: OptimWrapper | OptimWrapperDict = runner.optim_wrapper
    wrappers = wrapper.items() if isinstance(wrapper, OptimWrapperDict) else [('', wrapper)]
    for name, one in wrappers:
        yield name, one.optimizer


def _check_moments(optimizer: Optimizer, name: str) -> None:
    """Each parameter's moments have its shape, or are single numbers, and all have the same."""
    keys = {frozenset(moments) for moments in optimizer.state.values() if moments}
    _check(len(keys) <= 1, f'state of {name}', sorted(map(sorted, keys)))
    for parameter, moments in optimizer.state.items():
        for key, value in moments.items():
            fits = (
                (value.shape == parameter.shape or value.ndim == 0) and bool(value.isfinite().all())
                if isinstance(value, Tensor)
                else value is None or _alike(0, value)
            )
            _check(fits, f'{key} of {name}', value)


def _alike(own: Any, given: Any) -> bool:
    """Whether a value may stand for another: a number for a number, and so on."""
    if own is None:
        return given is None or isinstance(given, int | float)
    if isinstance(own, bool):
        return isinstance(given, bool)
    if isinstance(own, int | float):
        return isinstance(given, int | float) and type(given) is not bool and isfinite(given)
    if isinstance(own, list | tuple):
        return isinstance(given, list | tuple) and (
            len(own) != len(given) or all(map(_alike, own, given))
        )
    return isinstance(given, type(own))


def _whole(history: HistoryBuffer) -> bool:
    values, counts = (vars(history).get(f'_{name}_history') for name in ('log', 'count'))
    return (
        all(isinstance(one, np.ndarray) and one.dtype.kind in 'iuf' for one in (values, counts))
        and values.ndim == 1
        and values.shape == counts.shape
        and type(vars(history).get('max_length')) is int
    )


def _check(holds: object, what: str, found: Any) -> None:
    if not holds:
        raise InputError(f'{what} cannot be {str(found)[:80]!r}')
