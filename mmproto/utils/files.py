"""Folders to write to, and files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmproto.errors import InputError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Return a name to write to; the file takes its own name once it is complete."""
    part = path.with_name(f'.{path.stem}.part{path.suffix}')
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def make_writable(folder: Path) -> None:
    """Make a folder, and see that something can be written in it.

    Raises:
        InputError: If not.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(
            f'the folder {folder} cannot be written ({error.strerror}): give another one'
        ) from None


def check_out_file(out: Path) -> None:
    """Check where a file is to go, before any work.

    Raises:
        InputError: If its folder is not there, or it is a folder itself.
    """
    if not out.parent.is_dir() or out.is_dir():
        raise InputError(f'{out}: give a file in a folder that is there')


def existing_checkpoint(path: str) -> str:
    """Return the path, if there is such a file or it is an address that MMEngine loads from.

    Raises:
        InputError: If there is no such file.
    """
    if '://' not in path and not Path(path).is_file():
        raise InputError(f'there is no checkpoint {path}')
    return path
