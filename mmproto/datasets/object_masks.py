"""Where in the network's input the object is that a data set has a segmentation of."""

from typing import Any

import numpy as np

from mmproto.datasets.geometry import Geometry
from mmproto.datasets.image_files import UNREADABLE, open_image
from mmproto.errors import InputError

# Grey value from which on a pixel is the object's: CUB's masks show how many people said so.
OBJECT = 128


def has_masks(dataset: Any) -> bool:
    """Whether a data set has a segmentation of the object of every image."""
    return hasattr(dataset, 'pipeline') and 'mask_path' in dataset.get_data_info(0)


def mask_in_input(dataset: Any, image: int, geometry: Geometry) -> np.ndarray:
    """Which pixels of the network's input show the object: bool (H, W).

    Args:
        dataset: A data set whose infos have 'mask_path', a grey picture of the original's size.
        image: Index of the image.
        geometry: See :func:`mmproto.datasets.geometry.image_geometry`.

    Raises:
        InputError: If the mask cannot be read or is of another size.
    """
    return picture_in_input(dataset.get_data_info(image)['mask_path'], geometry) >= OBJECT


def picture_in_input(path: str, geometry: Geometry) -> np.ndarray:
    """Bring a mask to the network's input, each pixel from the nearest one: uint8 (H, W).

    Args:
        path: A grey picture of the original's size. Outside of it there is 0.
        geometry: How the image that the mask is of comes to the network's input.

    Raises:
        InputError: If it cannot be read or is of another size.
    """
    try:
        with open_image(path) as picture:
            mask = np.asarray(picture.convert('L'))
    except UNREADABLE:
        raise InputError(f'{path}: this is no readable picture; unpack the masks again') from None
    if mask.shape != tuple(geometry.size):
        raise InputError(
            f'{path} is {mask.shape[1]}x{mask.shape[0]} pixels and its image '
            f'{geometry.size[1]}x{geometry.size[0]}: unpack the masks again'
        )
    rows, columns = (
        _nearest(geometry.start[axis], geometry.step[axis], geometry.input_size[axis])
        for axis in (0, 1)
    )
    inside = [(each >= 0) & (each < size) for each, size in zip((rows, columns), mask.shape)]
    found = mask[np.clip(rows, 0, mask.shape[0] - 1)][:, np.clip(columns, 0, mask.shape[1] - 1)]
    return np.where(np.outer(*inside), found, 0)


def _nearest(start: float, step: float, count: int) -> np.ndarray:
    """Pixels of the original below the centres of the input's pixels."""
    return np.floor(start + step * (np.arange(count) + 0.5)).astype(int)
