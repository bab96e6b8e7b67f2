"""Logs and curves that cannot be written: a training of days is worth more than they are."""

import logging
import sys
from logging import FileHandler, LogRecord
from typing import Any

from mmengine.logging import print_log

from mmproto.errors import InputError


class LenientBackend:
    """A visualizer's back end that warns, once, when it cannot write.

    Args:
        name: What the warning calls it.
        backend: The back end, which does all the work.
    """

    def __init__(self, name: str, backend: Any) -> None:
        self._name = name
        self._backend = backend
        self._failed = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._backend, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return found(*args, **kwargs)
            except OSError as error:
                self._warn(error)
            except ImportError as error:  # which says what to install
                raise InputError(f'visualizer.vis_backends: {self._name}: {error}') from None

        return call

    def _warn(self, error: OSError) -> None:
        if not self._failed:
            self._failed = True
            print_log(
                f'visualizer: {self._name} cannot write ({error}): the training goes on, its '
                'curves and pictures may have gaps from here on.',
                logger='current',
                level=logging.WARNING,
            )


def keep_logging(handler: FileHandler) -> None:
    """Let a log file that cannot be written be said once, and not by a traceback a line."""
    failed: list[LogRecord] = []

    def say(record: LogRecord) -> None:
        if not failed:
            failed.append(record)
            print(
                f'warning: {handler.baseFilename} cannot be written ({sys.exc_info()[1]}): the '
                'log goes on here alone',
                file=sys.stderr,
            )

    handler.handleError = say  # type: ignore[method-assign]
