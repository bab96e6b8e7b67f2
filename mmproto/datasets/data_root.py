"""The setting ``data_root``, and what people write into it that is no folder."""

import os
import re

from mmproto.errors import InputError

WINDOWS = re.compile(r'[A-Za-z]:[\\/]|\\\\')


def data_folder(data_root: str) -> str:
    """Return the folder that a setting names, ``~`` and ``$VARIABLE`` in it replaced.

    Whether it is there, and holds what it should, the data sets say.

    Raises:
        InputError: It is empty, a path of Windows where this is not, or a file.
    """
    if not data_root:
        raise InputError('data_root is empty: give the folder of the data')
    if WINDOWS.match(data_root) and os.name != 'nt':
        raise InputError(
            f'data_root={data_root} is a folder as Windows writes it, and this is not Windows: '
            'give it as it is called here, under WSL such as /mnt/c/data'
        )
    folder = os.path.expanduser(os.path.expandvars(data_root))
    if os.path.isfile(folder):
        raise InputError(
            f'data_root={folder} is a file: give the folder of the data; unpack an archive first'
        )
    return folder
