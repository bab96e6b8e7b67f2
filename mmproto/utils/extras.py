"""Packages that only some parts need."""

import sys
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from types import TracebackType

from mmproto.errors import InputError

MMPRETRAIN = (
    "type `pip install 'mmproto[lite]'`, or [onedl] for the maintained forks of MMPretrain and "
    'what it stands on, or [full] where the full mmcv is installed; one of the three'
)


def need(extra: str, *packages: str) -> None:
    """Check that the packages of an extra are installed, before any work.

    Args:
        extra: The extra of ``setup.py`` that brings them.
        packages: What they are imported by.

    Raises:
        InputError: If one is missing; it says what to type.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise InputError(
            f"{', '.join(missing)} is not installed: type `pip install 'mmproto[{extra}]'`"
        )


class MissingMMPretrainError(ImportError):
    """A part that needs MMPretrain was imported without it."""


class _RequireMMPretrain(MetaPathFinder):
    """Answers an import of our modules that need MMPretrain with what to type."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Refuse those modules, leave all others to Python."""
        if fullname.startswith('mmproto.') and not fullname.startswith('mmproto.functional'):
            raise MissingMMPretrainError(f'{fullname} needs MMPretrain: {MMPRETRAIN}')


def require_mmpretrain() -> None:
    """Say what to type, not what is missing first, when a part that needs MMPretrain is imported.

    For a Python without MMPretrain. A program that ends by it shows that line alone.
    """
    sys.meta_path.insert(0, _RequireMMPretrain())
    shown = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, MissingMMPretrainError):
            print(f'ImportError: {error}', file=sys.stderr)
        else:
            shown(kind, error, trace)

    sys.excepthook = show
