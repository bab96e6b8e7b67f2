"""Files that somebody else may have written, before they are opened."""

import os
import stat
from pathlib import Path

from mmproto.errors import InputError


def check_data_file(path: str | Path, most_bytes: float = float('inf'), setting: str = '') -> None:
    """Check that a path is that of a file, and of no larger one than is read.

    A pipe would be waited for, a device read without an end.

    Args:
        path: The file.
        most_bytes: How large it may be.
        setting: What allows larger ones, if anything does.

    Raises:
        InputError: If it is something else or larger.
        OSError: If it is not there, or may not be looked at.
    """
    state = os.stat(path)
    if not stat.S_ISREG(state.st_mode):
        raise InputError(f'{path} is no file but a folder, a pipe or a device: give a file')
    if state.st_size > most_bytes:
        raise InputError(
            f'{path} has {state.st_size:,} bytes, more than the {most_bytes:,} that are read: '
            f'{setting or "it is damaged, or none of ours"}'
        )
