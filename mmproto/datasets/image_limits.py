"""How large an image may be, so that one file does not fill the memory."""

import os

from mmproto.errors import InputError
from mmproto.utils.data_file import check_data_file

VARIABLE = 'MMPROTO_MAX_PIXELS'
MAX_PIXELS = 2**27  # 11,585 squared: 0.4 GB as 8-bit RGB
BYTES_PER_PIXEL = 8  # of 16-bit RGBA, the most that is read


def max_pixels() -> int:
    """Return how many pixels an image may have; the environment's MMPROTO_MAX_PIXELS says more.

    Raises:
        InputError: If that is no whole number of at least 1.
    """
    text = os.environ.get(VARIABLE, str(MAX_PIXELS))
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f'{VARIABLE}={text}: give a number of pixels, such as {2 * MAX_PIXELS}')
    return int(text)


def check_image_bytes(path: str) -> None:
    """Check a file before anything reads it.

    Raises:
        InputError: If it is no file, or larger than the largest image would be.
        OSError: If it is not there.
    """
    check_data_file(path, BYTES_PER_PIXEL * max_pixels(), f'set {VARIABLE} higher if it is sound')


def check_image_size(path: str, width: int, height: int) -> None:
    """Raise an InputError for an image of more pixels than ``max_pixels``, before it is decoded."""
    if width * height > max_pixels():
        raise InputError(
            f'{path} has {width} x {height} pixels, more than {max_pixels():,}: make it smaller, '
            f'or set {VARIABLE} higher in the environment'
        )
