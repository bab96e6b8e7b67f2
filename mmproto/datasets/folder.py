"""Anybody's images: a folder of class folders, or a list of images with their labels."""

import hashlib
import os
import os.path as osp
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from mmpretrain.datasets import CustomDataset
from mmpretrain.registry import DATASETS
from PIL import Image

from mmproto.datasets.annotations import (
    ANNOTATIONS,
    annotated_classes,
    annotation_path,
    named_images,
)
from mmproto.datasets.checks import UNREADABLE
from mmproto.errors import InputError

ADVICE = 'set data_root, or DATA_ROOT in the environment, to the folder of your images'
EXTENSIONS = ('.jpg', '.jpeg', '.png', '.ppm', '.pgm', '.bmp', '.tif', '.tiff', '.webp')
# Which folder of a data set that is split already is which split, the first that is there.
FOLDERS = dict(train=('train',), val=('val', 'test'), test=('test', 'val'))
SPLITS = (*FOLDERS, 'all')
# Settings of CustomDataset that nothing here would heed.
REFUSED = ('extensions', 'filter_cfg', 'with_label')


class LabelledImage(NamedTuple):
    """A image's path, its label, and its name, by which the split is drawn."""

    path: str
    label: int
    name: str


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


def image_scale(text: str) -> tuple[int, int]:
    """Width and height out of '320x256', what the SCALE of the environment is.

    Raises:
        InputError: It is no such pair.
    """
    sides = text.split('x')
    if len(sides) != 2 or not all(side.isdecimal() and int(side) > 0 for side in sides):
        raise InputError(f'SCALE={text}: give width and height in pixels, such as SCALE=320x256')
    return int(sides[0]), int(sides[1])


def subfolders(folder: str) -> tuple[str, ...]:
    """Names of the folders in a folder, sorted; hidden ones are not seen."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir()]
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
    """Find the images of a folder of class folders, at any depth, but for hidden ones."""
    images = []
    for name in subfolders(folder):
        if name not in classes:
            raise InputError(f'{folder}/{name} is a class that the training set has not')
        found = [
            osp.relpath(osp.join(parent, file), folder).replace(os.sep, '/')
            for parent, _, files in os.walk(osp.join(folder, name))
            for file in files
            if file.lower().endswith(EXTENSIONS)
        ]
        found = [path for path in found if '/.' not in path]
        if not found:
            raise InputError(
                f'the class folder {folder}/{name} has no images ({", ".join(EXTENSIONS)}): '
                'add some or remove the folder'
            )
        label = classes.index(name)
        images += [LabelledImage(osp.join(folder, path), label, path) for path in sorted(found)]
    return images


def held_out(
    images: Iterable[LabelledImage], classes: tuple[str, ...], share: float, seed: int
) -> set[str]:
    """Return the names of the images to validate with: of every class a share, at least one.

    A image's place in the draw is a hash of its name and the seed: whatever the order, the
    machine or the process, the split is the same, and hardly changes when images are added.
    """
    names: list[list[str]] = [[] for _ in classes]
    for image in images:
        names[image.label].append(image.name)
    drawn = set()
    for of_class, class_name in zip(names, classes):
        if len(of_class) < 2:
            raise InputError(
                f'class {class_name} has one image ({of_class[0]}), which cannot be both trained '
                'and validated: add another or remove the class'
            )
        of_class.sort(key=lambda name: hashlib.sha256(f'{seed} {name}'.encode()).digest())
        drawn.update(of_class[: min(max(round(share * len(of_class)), 1), len(of_class) - 1)])
    return drawn


def is_readable(path: str) -> bool:
    """Whether Pillow knows the file by its header."""
    try:
        with Image.open(path):
            return True
    except UNREADABLE:
        return False


def check_readable(images: list[LabelledImage]) -> None:
    """Raise an InputError that names the images that cannot be read."""
    with ThreadPoolExecutor() as pool:
        readable = list(pool.map(is_readable, [image.path for image in images]))
    broken = [image.path for image, good in zip(images, readable) if not good]
    if broken:
        raise InputError(
            f'{len(broken)} of {len(images)} files cannot be read as images: '
            f'{", ".join(broken[:5])}{", ..." if len(broken) > 5 else ""}; remove or convert them'
        )


@DATASETS.register_module()
class FolderDataset(CustomDataset):
    """Images of one's own, with a seeded validation split held out of them.

    What `data_root` may be, the first that fits:

    - a folder with `annotations.txt`, a line `path label` for each image, the path below
      `data_root` (or `data_prefix` in it) and the label a number from 0 on;
      `classes.txt` beside it may name the classes, one a line;
    - a folder with `train` and `val`, or `test`, or both, each with class folders: these are the
      splits, and where one of `val` and `test` is not there the other stands in for it;
    - a folder of class folders: of every class `val_share` of the images, drawn by `seed`, are
      'val' as well as 'test', and all others 'train'.

    Args:
        data_root (str): The folder.
        ann_file (str): Another name for annotations.txt. Defaults to ''.
        split (str): 'train', 'val', 'test' or 'all'. Defaults to 'train'.
        val_share (float): Share of every class that is held out where the data is not split yet;
            a class keeps at least one image on each side. Defaults to 0.2.
        seed (int): Another seed, another split. Defaults to 0.
        **kwargs: As for :class:`mmpretrain.datasets.CustomDataset`, but `extensions`,
            `filter_cfg` and `with_label` are refused, `data_prefix` is for a list of images
            only, and `classes`, in `metainfo` or not, have to be those of the data, in order.

    Raises:
        InputError: A folder, a class or an image is missing, a file is no image, a class has
            too few of them, a line is broken, or a setting cannot be heeded. The message names it.

    Example:
        >>> dataset = dict(type='FolderDataset', data_root='data/xray', split='train',
        ...                pipeline=[dict(type='LoadPicture'),
        ...                          dict(type='Resize', scale=(224, 224)),
        ...                          dict(type='PackInputs')])
    """

    def __init__(
        self,
        data_root: str = '',
        ann_file: str = '',
        split: str = 'train',
        val_share: float = 0.2,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        if split not in SPLITS:
            raise InputError(f"dataset.split='{split}': give one of {', '.join(SPLITS)}")
        if not 0 < val_share < 1:
            raise InputError(f'dataset.val_share={val_share}: give a share between 0 and 1')
        for name in REFUSED:
            if name in kwargs:
                raise InputError(f'dataset.{name}: FolderDataset does not heed it; remove it')
        self.split, self.val_share, self.seed = split, val_share, seed
        self.given_list = ann_file  # MMEngine puts data_root before its own
        super().__init__(data_root=data_root, ann_file=ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Return finds and checks the images of the split."""
        classes = folder_classes(self.data_root, self.given_list)
        given = self._metainfo.setdefault('classes', classes)
        if tuple(given) != classes:
            raise InputError(
                f'dataset.classes={given}: the data in {self.data_root} has the classes {classes}, '
                'which give the labels in this order; remove the setting'
            )
        images = self._images(classes)
        check_readable(images)
        return [dict(img_path=image.path, gt_label=image.label) for image in images]

    def _images(self, classes: tuple[str, ...]) -> list[LabelledImage]:
        annotations = annotation_path(self.data_root, self.given_list)
        if not annotations and osp.normpath(self.img_prefix) != osp.normpath(self.data_root):
            raise InputError(
                f'dataset.data_prefix={self.img_prefix}: it is for a list of images only; set '
                'data_root to the folder of the class folders'
            )
        folders = {} if annotations else split_folders(self.data_root)
        if folders:
            chosen = dict.fromkeys(
                folder for split, folder in folders.items() if self.split in (split, 'all')
            )
            return [image for folder in chosen for image in find_images(folder, classes)]
        images = self._listed(annotations) if annotations else find_images(self.data_root, classes)
        if self.split == 'all':
            return images
        drawn = held_out(images, classes, self.val_share, self.seed)
        return [p for p in images if (p.name in drawn) == (self.split != 'train')]

    def _listed(self, annotations: str) -> list[LabelledImage]:
        labels = named_images(annotations, self.img_prefix)
        return [
            LabelledImage(osp.join(self.img_prefix, name), label, name)
            for name, label in labels.items()
        ]
