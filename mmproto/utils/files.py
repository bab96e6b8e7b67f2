"""Folders to write to, and files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmproto.errors import InputError
from mmproto.utils.data_file import check_data_file

PICTURES = ('.png', '.jpg', '.jpeg')
# What a trial writes: enough for a full disk to say so.
BLOCK = b'\0' * 4096


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Return a name to write to; the file takes its own name once it is complete.

    Each process of a training has a name of its own, since MMEngine lets all write some files.

    Raises:
        OSError: If it cannot be written; it names the file.
    """
    part = path.with_name(f'.{path.stem}.part{os.environ.get("RANK", "")}{path.suffix}')
    try:
        yield part
        os.replace(part, path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        if isinstance(error, OSError) and (error.filename is None or Path(error.filename) == part):
            # A full disk names no file, and the part's name says nothing to anybody.
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def write_durably(path: Path, data: bytes) -> None:
    """Write a file that a kill, and a power cut too, leaves as it was or whole."""
    with whole_file(path) as part, part.open('wb') as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def make_writable(folder: Path) -> None:
    """Make a folder, and see that something can be written in it.

    Raises:
        InputError: If not.
    """
    _check_text(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _try(folder)
    except OSError as error:
        raise InputError(
            f'the folder {folder} cannot be written ({error.strerror}): give another one'
        ) from None


def check_out_file(out: Path) -> None:
    """Check where a file is to go, before any work, and that it can be written there.

    Raises:
        InputError: If its folder is not there or cannot be written, or it is no file itself.
    """
    _check_text(out)
    if not out.parent.is_dir() or (out.exists() and not out.is_file()):
        raise InputError(f'{out}: give a file in a folder that is there')
    try:
        _try(out.parent, out.name)
    except OSError as error:
        raise InputError(
            f'{out} cannot be written ({error.strerror}): give a file in another folder'
        ) from None


def check_picture_file(out: Path) -> None:
    """Check where a picture is to go as :func:`check_out_file` does, and that its name says how.

    Raises:
        InputError: If not.
    """
    if out.suffix.lower() not in PICTURES:
        raise InputError(f'{out}: give a file name that ends with {" or ".join(PICTURES)}')
    check_out_file(out)


def _check_text(path: Path) -> None:
    """Raise an InputError for a path that torch and others crash on, as it is no text."""
    require_text(os.path.abspath(path))


def require_text(path: str) -> str:
    """Return a path, if it is text.

    Raises:
        InputError: If its bytes are not UTF-8: pages cannot name it, and torch crashes as it saves.
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        raise InputError(
            f'{os.fsencode(path)!r} is no UTF-8: rename the file or the folder, or link to it'
        ) from None
    return path


def _try(folder: Path, name: str = '') -> None:
    """Write something to a folder, under a name that is longer, and remove it."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=f'.{name}', buffering=0) as file:
        file.write(BLOCK)


def existing_checkpoint(path: str) -> str:
    """Return the path, if there is such a file or it is an address that MMEngine loads from.

    Raises:
        InputError: If there is nothing, or no file but a folder or a pipe.
    """
    try:
        if '://' not in path:
            check_data_file(path)
    except InputError:
        raise
    except (OSError, ValueError):  # the latter for a name that cannot be one
        raise InputError(f'there is no checkpoint {path or repr(path)}') from None
    return path
