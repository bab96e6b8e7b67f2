"""Packages that only some of the tools need."""

from importlib.util import find_spec

from mmproto.errors import InputError


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
