"""CUB-200-2011 with the box and the parts of every bird, checked line by line before training."""

import math
import os.path as osp
import re
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from mmengine import list_from_file
from mmpretrain.datasets import CUB
from mmpretrain.registry import DATASETS

from mmproto.datasets.boxes import Row, check_split, clip_box, image_size
from mmproto.datasets.data_root import data_folder
from mmproto.errors import InputError

ADVICE = 'data_root should be the unpacked CUB_200_2011 folder'


def number(text: str) -> float:
    """Return a finite number; `float` alone lets 'nan' and 'inf' through."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def flag(text: str) -> bool:
    """Return a 0 or a 1."""
    return bool(('0', '1').index(text))


# What one line of each file looks like, and what turns its fields into values.
FORMATS: dict[str, tuple[str, tuple[Any, ...]]] = {
    'classes.txt': ('<class id> <name>', (int, str)),
    'images.txt': ('<image id> <path>', (int, str)),
    'image_class_labels.txt': ('<image id> <class id>', (int, int)),
    'train_test_split.txt': ('<image id> <1: train, 0: test>', (int, flag)),
    'bounding_boxes.txt': ('<image id> <x> <y> <width> <height>', (int, *[number] * 4)),
    'parts/parts.txt': ('<part id> <name>', (int, str)),
    'parts/part_locs.txt': (
        '<image id> <part id> <x> <y> <visible: 1 or 0>',
        (int, int, number, number, flag),
    ),
}


def read_rows(root: str, name: str) -> Iterator[Row]:
    """Yield the lines of one of the files in `FORMATS`, without empty ones."""
    path = osp.join(root, name)
    form, kinds = FORMATS[name]
    if not osp.isfile(path):
        raise InputError(f'{path}: there is no such file; {ADVICE}')
    try:
        lines = list_from_file(path, encoding='utf-8-sig')  # a byte order mark is not seen
    except UnicodeDecodeError:
        raise InputError(f'{path}: this is no text in UTF-8; unpack the data set again') from None
    for n, line in enumerate(lines, start=1):
        fields = line.split(maxsplit=len(kinds) - 1)  # the last field may hold spaces: 'left eye'
        if not fields:
            continue
        try:
            values = [kind(field.strip()) for kind, field in zip(kinds, fields)]
        except ValueError:
            values = []
        if len(values) != len(kinds):
            raise InputError(
                f'{path}, line {n}: expected {form!r} but found {line!r}; '
                'correct the line or unpack the data set again'
            )
        yield Row(f'{path}, line {n}', values)


def read_table(root: str, name: str) -> dict[int, Row]:
    """Read a file with one line an id as `{id: line without the id}`."""
    table = {}
    for where, (key, *values) in read_rows(root, name):
        if key in table:
            raise InputError(f'{where}: id {key} was given before; keep one of the two lines')
        table[key] = Row(where, values)
    return table


def check_ids(table: dict, other: dict, other_name: str) -> None:
    """Every id of `table` must be known to `other`, read from the file `other_name`."""
    for key, (where, _) in table.items():
        if key not in other:
            raise InputError(
                f'{where}: id {key} has no entry in {other_name}; add it there or remove this line'
            )


def read_parts(root: str, image_ids: dict, part_ids: dict) -> dict[int, np.ndarray]:
    """Read the part locations as `{image id: (num_parts, 3) array of x, y, visible}`."""
    column = {part: i for i, part in enumerate(part_ids)}
    parts = {image: np.full((len(column), 3), np.nan) for image in image_ids}
    for where, (image, part, *location) in read_rows(root, 'parts/part_locs.txt'):
        if image not in parts or part not in column:
            raise InputError(
                f'{where}: there is no image id {image} in images.txt or no part id '
                f'{part} in parts/parts.txt; correct the line'
            )
        parts[image][column[part]] = location
    for image, locations in parts.items():
        if np.isnan(locations).any():
            raise InputError(
                f'{root}/parts/part_locs.txt: image id {image} has not all '
                f'{len(column)} parts; add the missing lines'
            )
    return parts


@DATASETS.register_module()
class AnnotatedCUB(CUB):
    """CUB-200-2011 as downloaded, or a data set in the same layout, with boxes and parts.

    Besides `img_path` and `gt_label` every data info carries

    - `bbox`: (4,) float array, the bird's box as x1, y1, x2, y2 in pixels of the original image,
      clipped to it (a box may stick out by two pixels, more is an error);
    - `parts`: (num_parts, 3) float array of x, y (pixels of the original image) and visible (0
      or 1), if the folder has a `parts/part_locs.txt`;
    - `mask_path`: the segmentation of the bird, if the folder has `segmentations`, which
      CUB-200-2011 offers as a second archive.

    The metainfo gets `classes` from classes.txt, without the leading '001.', and `part_names` from
    parts/parts.txt. A label is the position of its class in classes.txt. As with every MMPretrain
    data set, the arguments `classes` and `metainfo` win over the files.

    Args:
        data_root (str): The unpacked CUB_200_2011 folder, on a local disk.
        split (str): 'train' or 'test'. Defaults to 'train'.
        **kwargs: As for :class:`mmpretrain.datasets.CUB`.

    Raises:
        InputError: A file of the layout or an image of the split is missing, a line is broken,
            an id has no entry in another file, a label is not in classes.txt, or a box of the
            split is outside its image. The message names the file and the line.

    Example:
        >>> dataset = dict(type='AnnotatedCUB', data_root='data/CUB_200_2011', split='train',
        ...                pipeline=[dict(type='LoadImageFromFile'), dict(type='CropToBox'),
        ...                          dict(type='Resize', scale=(224, 224)),
        ...                          dict(type='PackInputs')])
    """

    METAINFO: ClassVar[dict] = {}  # CUB's 200 names would win over classes.txt

    def __init__(self, data_root: str = '', split: str = 'train', **kwargs: Any) -> None:
        check_split(split)
        super().__init__(data_folder(data_root), split=split, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read and checks the annotation; one dict an image of the split, in the files' order."""
        root = self.data_root
        classes = read_table(root, 'classes.txt')
        images = read_table(root, 'images.txt')
        labels, splits, boxes = (
            self._read_for(images, name)
            for name in ('image_class_labels.txt', 'train_test_split.txt', 'bounding_boxes.txt')
        )
        label_of = {class_id: label for label, class_id in enumerate(classes)}
        for where, (class_id,) in labels.values():
            if class_id not in label_of:
                raise InputError(
                    f'{where}: class id {class_id} is not among the {len(classes)} '
                    'of classes.txt; correct the line or add the class'
                )
        self._metainfo.setdefault(
            'classes', tuple(re.sub(r'^\d+\.', '', name) for _, (name,) in classes.values())
        )
        parts = self._load_parts(images)
        segmentations = osp.join(root, 'segmentations')
        segmented = osp.isdir(segmentations)
        data_list = []
        for image_id, (where, (file,)) in images.items():
            if splits[image_id].values[0] != (self.split == 'train'):
                continue
            path = osp.join(self.img_prefix, file)
            bbox = clip_box(boxes[image_id], image_size(path, where), path)
            info = dict(img_path=path, gt_label=label_of[labels[image_id].values[0]], bbox=bbox)
            if parts:
                info['parts'] = parts[image_id]
            if segmented:
                info['mask_path'] = osp.join(segmentations, f'{osp.splitext(file)[0]}.png')
            data_list.append(info)
        if not data_list:
            raise InputError(
                f'{root}/train_test_split.txt: no image is marked as {self.split}; mark some'
            )
        return data_list

    def _read_for(self, images: dict, name: str) -> dict[int, Row]:
        """Read the file `name`, which has to have exactly the ids of images.txt."""
        table = read_table(self.data_root, name)
        check_ids(images, table, name)
        check_ids(table, images, 'images.txt')
        return table

    def _load_parts(self, images: dict) -> dict[int, np.ndarray]:
        """Return the parts of every image; empty for a data set without part locations."""
        if not osp.exists(osp.join(self.data_root, 'parts', 'part_locs.txt')):
            return {}
        names = read_table(self.data_root, 'parts/parts.txt')
        self._metainfo.setdefault('part_names', tuple(name for _, (name,) in names.values()))
        return read_parts(self.data_root, images, names)
