"""What a folder of images holds: its classes, its splits and the images of each class."""

import os
import os.path as osp
from collections.abc import Iterable
from typing import Any, NamedTuple

from mmproto.datasets.annotations import ANNOTATIONS, annotated_classes, annotation_path
from mmproto.datasets.data_root import data_folder
from mmproto.datasets.image_files import EXTENSIONS, kinds, not_read, warn_of_left_out
from mmproto.errors import InputError

ADVICE = 'set data_root, or DATA_ROOT in the environment, to the folder of your images'
# Which folder of a data set that is split already is which split, the first that is there.
FOLDERS = dict(train=('train',), val=('val', 'test'), test=('test', 'val'))


class LabelledImage(NamedTuple):
    """An image's path, its label or labels, and its name and group, by which the split is drawn."""

    path: str
    label: Any
    name: str
    group: str = ''


def folder_classes(data_root: str, ann_file: str = '') -> tuple[str, ...]:
    """Return the names of the classes of a :class:`FolderDataset`, by label; reads no image.

    .. code:: python

        num_classes = len(folder_classes(data_root))  # in a config

    Args:
        data_root: The folder, as for the data set.
        ann_file: The list of images, as for the data set.

    Raises:
        InputError: The folder is missing or has fewer than two classes, or a line is broken.
    """
    data_root = data_folder(data_root)
    if not osp.isdir(data_root):
        raise InputError(f'data_root={data_root}: there is no such folder; {ADVICE}')
    annotations = annotation_path(data_root, ann_file)
    if annotations:
        return annotated_classes(data_root, annotations)
    folder = split_folders(data_root).get('train', data_root)
    classes = subfolders(folder)
    if len(classes) < 2:
        raise InputError(
            f'{folder} has {len(classes)} class folders, but at least two are needed, each with '
            f'the images of one class, or an {ANNOTATIONS}; {ADVICE}'
        )
    return classes


def subfolders(folder: str) -> tuple[str, ...]:
    """Names of the folders in a folder, sorted; hidden ones are not seen."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir()]
    _check_names(folder, names)
    return tuple(sorted(name for name in names if not name.startswith('.')))


def split_folders(data_root: str) -> dict[str, str]:
    """Folder of every split, for a data set that is split already; else nothing."""
    there = subfolders(data_root)
    if 'train' not in there or not subfolders(osp.join(data_root, 'train')):
        return {}
    folders = {
        split: osp.join(data_root, name)
        for split, names in FOLDERS.items()
        for name in names[::-1]
        if name in there
    }
    if 'val' not in folders:
        raise InputError(
            f'{data_root}/train holds class folders, so it is taken for the training set, but '
            'there is neither val nor test beside it: name the other set val, or set data_root '
            f'to {data_root}/train'
        )
    for folder in folders.values():
        if not subfolders(folder):
            raise InputError(
                f'{folder} has no class folders, but {data_root}/train has: sort its images '
                'into such folders, or move it away'
            )
    return folders


def find_images(folder: str, classes: tuple[str, ...]) -> list[LabelledImage]:
    """Find the images of a folder of class folders, at any depth, but for hidden ones.

    Images of formats that are not read here are left out with a warning.
    """
    images = []
    left_out: list[str] = []
    for name in subfolders(folder):
        if name not in classes:
            raise InputError(f'{folder}/{name} is a class that the training set has not')
        files = [
            osp.relpath(osp.join(parent, file), folder).replace(os.sep, '/')
            for parent, _, files in os.walk(osp.join(folder, name))
            for file in files
        ]
        files = [path for path in files if '/.' not in path]
        found = [path for path in files if path.lower().endswith(EXTENSIONS)]
        others = not_read(files)
        if not found:
            raise InputError(
                f'the class folder {folder}/{name} has no images ({", ".join(EXTENSIONS)})'
                + (f' but {kinds(others)}: convert these' if others else ': add some')
                + ' or remove the folder'
            )
        _check_names(folder, found)
        for path in found:
            if not osp.exists(osp.join(folder, path)):
                raise InputError(f'{folder}/{path} is a link to what is not there: remove it')
        label = classes.index(name)
        images += [LabelledImage(osp.join(folder, path), label, path) for path in sorted(found)]
        left_out += others
    warn_of_left_out(folder, left_out)
    return images


def _check_names(folder: str, names: Iterable[str]) -> None:
    """Raise an InputError for a name that no text file can hold."""
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise InputError(
                f'{folder} has a name that is no UTF-8, {os.fsencode(name)!r}: rename it'
            ) from None
