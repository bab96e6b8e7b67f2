"""What a push has written of its prototypes, read again: whoever may have changed it since."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmproto.datasets.transforms import LoadPicture
from mmproto.errors import InputError
from mmproto.utils.json_file import parsed, read_json

FILE = 'prototypes.json'


@dataclass(frozen=True)
class SavedPrototype:
    """What is read of a :class:`PrototypeRecord`, whose fields these are."""

    prototype: int
    class_index: int
    class_name: str | None
    image: str | None
    image_index: int
    location: tuple[int, int]
    distance: float


def saved_prototypes(folder: Path) -> list[SavedPrototype]:
    """Read the ``prototypes.json`` of a folder.

    Raises:
        InputError: If there is none, or something in it is of another kind.
    """
    file = folder / FILE
    if not file.is_file():
        raise InputError(f'{file} is not there: give a folder that a push has written')
    try:
        return parsed(list[SavedPrototype], read_json(file), 'the list')
    except InputError as error:
        raise InputError(f'{file} is damaged ({error}): push again by tools/push.py') from None


def saved_image(folder: Path, prototype: int, part: str) -> np.ndarray | None:
    """Read one of the images of a prototype, None if it is gone or none.

    Args:
        folder: What the push has written; nothing outside it is read, whatever a link in it says.
        prototype: Number of the prototype at the push.
        part: 'image', 'crop' or 'heat'.

    Returns:
        (height, width, 3), uint8, BGR.
    """
    file = (folder / f'{prototype:05d}_{part}.jpg').resolve()
    if not file.is_relative_to(folder.resolve()) or not file.exists():
        return None
    try:
        return LoadPicture()(dict(img_path=str(file)))['img']
    except InputError:
        return None
