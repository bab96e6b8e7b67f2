"""What a user may give an inferencer: files, folders, arrays and numbers of test images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmproto.datasets.checks import check_image_array, check_image_file
from mmproto.datasets.dicom import DICOM_EXTENSIONS
from mmproto.datasets.image_files import FORMATS, kinds, not_read, warn_of_left_out
from mmproto.errors import InputError

LONGEST_NAME = 100  # of a file, leaving room for what is put around it
INDEX = 'index'  # the name of the page that leads to all

ImageInput = str | int | np.ndarray


def listed_images(inputs: str | int | Path | np.ndarray | Sequence) -> list[ImageInput]:
    """List images one by one; a folder stands for the image files in it.

    A number stands for an image of the test set, which is not looked at here.

    Raises:
        InputError: If a file or an array is no image, or a folder has none.
    """
    images: list[ImageInput] = []
    given: Sequence[Any] = inputs if isinstance(inputs, list | tuple) else [inputs]
    for one in given:
        if isinstance(one, np.ndarray | int):
            images.append(one)
        elif Path(one).is_dir():
            images += _images_in(Path(one))
        else:
            images.append(str(one))
    for image in images:
        if isinstance(image, np.ndarray):
            check_image_array(image)
        elif isinstance(image, str):
            check_image_file(image)
    return images


def unique_names(images: Sequence[ImageInput]) -> list[str]:
    """Name each image by its file or its number, numbered where two are alike."""
    names = {INDEX: None}  # in order
    numbers: dict[str, int] = {}  # the last one of each stem: thousands may have the same
    for i, image in enumerate(images):
        if isinstance(image, str):
            stem = Path(image).stem[:LONGEST_NAME]
        else:
            stem = f'test_{image}' if isinstance(image, int) else f'image_{i}'
        name, number = stem, numbers.get(stem, 1)
        while name in names:
            number += 1
            name = f'{stem}_{number}'
        numbers[stem] = number
        names[name] = None
    return [*names][1:]


def _images_in(folder: Path) -> list[str]:
    """Return the files of a folder whose suffixes are those of images."""
    known = Image.registered_extensions().items()
    suffixes = {*DICOM_EXTENSIONS, *(suffix for suffix, kind in known if kind in FORMATS)}
    there = sorted(map(str, folder.iterdir()))
    files = [file for file in there if Path(file).suffix.lower() in suffixes]
    others = not_read(sorted({*there} - {*files}))
    if not files:
        but = f' but {kinds(others)}: convert these' if others else ''
        raise InputError(f'there is no image in {folder}{but}')
    warn_of_left_out(str(folder), others)
    return files
