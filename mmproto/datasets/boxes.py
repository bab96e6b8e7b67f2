"""Boxes around objects, as annotation files give them, checked against their images."""

from typing import NamedTuple

import numpy as np

from mmproto.datasets.image_files import UNREADABLE, check_whole
from mmproto.errors import InputError

BOX_TOLERANCE = 2  # pixels a box may stick out of its image before it counts as a mistake


class Row(NamedTuple):
    """A line of a file: where it stands ('file, line n') and its values."""

    where: str
    values: list


def check_split(split: str) -> None:
    """Raise an InputError for another split than those that CUB and Cars have."""
    if split not in ('train', 'test'):
        raise InputError(f"dataset.split='{split}': give train or test")


def image_size(path: str, where: str) -> tuple[int, int]:
    """(width, height) of an image that is whole; `where` names the line that lists the image."""
    try:
        return check_whole(path)
    except FileNotFoundError:
        raise InputError(
            f'{where}: the image {path} is missing; data_root should be the unpacked data set'
        ) from None
    except UNREADABLE as error:
        raise InputError(
            f'{where}: {path} is no image, or a damaged one ({error}); unpack the data set again'
        ) from None


def clip_box(box: Row, size: tuple[int, int], path: str) -> np.ndarray:
    """Turn a line's x, y, width, height into an xyxy array clipped to an image of that size."""
    where, (x, y, w, h) = box
    xyxy = np.array([x, y, x + w, y + h])
    clipped = xyxy.clip(0, [*size, *size])
    sticks_out = np.abs(xyxy - clipped).max() > BOX_TOLERANCE
    empty = (clipped[2:].astype(int) <= clipped[:2].astype(int)).any()
    if sticks_out or empty:
        raise InputError(
            f'{where}: the box x={x:g} y={y:g} width={w:g} height={h:g} is outside '
            f'or empty in {path}, an image of {size[0]}x{size[1]} pixels; '
            'correct the line or unpack the data set again'
        )
    return clipped
