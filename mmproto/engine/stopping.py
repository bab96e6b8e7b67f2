"""A training that is stopped from outside, by Ctrl-C or a scheduler, says how to go on."""

import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from mmengine.runner import Runner

from mmproto.engine.last_checkpoint import last_checkpoint
from mmproto.errors import Stopped

# How long the signal that has killed a worker may take to this process, in seconds.
DELAY = 1.0


class Terminated(KeyboardInterrupt):
    """SIGTERM, by which a scheduler asks for the end."""


@contextmanager
def stoppable(runner: Runner) -> Iterator[None]:
    """Train in here; what stops it says in one line where, and by which command it goes on.

    Raises:
        Stopped: On Ctrl-C (exit status 130) and on SIGTERM (143).
    """
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        with _own_signal_first():
            yield
    except KeyboardInterrupt as stop:
        number = signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT
        raise Stopped(how_to_go_on(runner), 128 + number) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(*_: Any) -> NoReturn:
    raise Terminated


@contextmanager
def _own_signal_first() -> Iterator[None]:
    """Let a signal to all processes count, and not that a worker has died of it."""
    try:
        yield
    except RuntimeError as error:
        if 'DataLoader worker' in str(error):
            time.sleep(DELAY)
        raise


def how_to_go_on(runner: Runner) -> str:
    """Say where a training has stopped, what is left of it, and the command that goes on."""
    epoch = min(runner.epoch + 1, runner.max_epochs)
    place = f'stopped in epoch {epoch} of {runner.max_epochs}'
    found = last_checkpoint(runner.work_dir)
    if found is None:
        return f'{place}, before the first checkpoint: the same command begins anew'
    command = 'the same command with --resume' if runner.distributed else _command()
    return f'{place}; {found} is whole: {command} goes on from it'


def _command() -> str:
    """Return the command line as it was typed, with --resume for whatever it had there."""
    arguments = sys.argv[1:]
    if '--resume' in arguments:
        place = arguments.index('--resume')
        given = arguments[place + 1 : place + 2]
        del arguments[place : place + 1 + sum(not one.startswith('-') for one in given)]
    return f'{sys.argv[0]} {shlex.join([*arguments, "--resume"])}'
