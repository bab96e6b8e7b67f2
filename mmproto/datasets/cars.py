"""Stanford Cars with the box of every car, checked image by image before training."""

import os.path as osp
from collections.abc import Iterator
from typing import Any

import mat4py
from mmpretrain.datasets import StanfordCars
from mmpretrain.registry import DATASETS

from mmproto.datasets.boxes import Row, check_split, clip_box, image_size
from mmproto.datasets.data_root import data_folder
from mmproto.errors import InputError

ADVICE = 'data_root should be the unpacked Stanford_Cars folder'
BOX = ('bbox_x1', 'bbox_y1', 'bbox_x2', 'bbox_y2')
SPLIT_FILES = {
    'train': osp.join('devkit', 'cars_train_annos.mat'),
    'test': osp.join('devkit', 'cars_test_annos_withlabels.mat'),
}


def check_layout(root: str, split: str) -> None:
    """Raise an InputError for a folder that has neither layout's file of the split."""
    names = ['cars_annos.mat', SPLIT_FILES[split]]
    if not any(osp.isfile(osp.join(root, name)) for name in names):
        raise InputError(f'{root}: there is no {names[0]} and no {names[1]}; {ADVICE}')


def read_annotations(path: str) -> dict[str, list]:
    """Read the struct array `annotations` of a .mat file as one list a field."""
    try:
        annotations = mat4py.loadmat(path)['annotations']
    except Exception as error:  # a broken file can fail anywhere in the parser
        raise InputError(
            f'{path} is no .mat file with annotations ({type(error).__name__}: {error}); '
            'unpack the data set again'
        ) from None
    # mat4py gives the field of a single entry as it is
    return {
        name: values if isinstance(values, list) else [values]
        for name, values in annotations.items()
    }


def rows_of(annotations: dict[str, list], split: str, path: str) -> Iterator[Row]:
    """Yield file, class and box of every image of the split, of either layout."""
    both = 'test' in annotations  # cars_annos.mat marks the test images among all
    fields = ['relative_im_path' if both else 'fname', 'class', *BOX]
    for name in fields:
        if name not in annotations:
            raise InputError(f'{path}: the annotations have no {name!r}; unpack the data set again')
    for n, values in enumerate(zip(*(annotations[name] for name in fields))):
        if not both or annotations['test'][n] == (split == 'test'):
            yield Row(f'{path}, entry {n + 1} ({values[0]})', list(values))


@DATASETS.register_module()
class AnnotatedCars(StanfordCars):
    """Stanford Cars in either layout of :class:`mmpretrain.datasets.StanfordCars`, with boxes.

    Besides `img_path` and `gt_label` every data info carries `bbox`: (4,) float array, the car's
    box as x1, y1, x2, y2 in pixels of the original image, clipped to it (a box may stick out by
    two pixels, more is an error). The files count pixels from 1 and include the last one; here the
    first pixel is 0 and x2, y2 are just behind the last, as for every box of the package.

    Args:
        data_root (str): The unpacked Stanford_Cars folder, on a local disk.
        split (str): 'train' or 'test'. Defaults to 'train'.
        **kwargs: As for :class:`mmpretrain.datasets.StanfordCars`.

    Raises:
        InputError: The annotation or an image of the split is missing or broken, a label is none
            of the classes, or a box is outside its image. The message names the file and the image.

    Example:
        >>> dataset = dict(type='AnnotatedCars', data_root='data/Stanford_Cars', split='train',
        ...                pipeline=[dict(type='LoadImageFromFile'), dict(type='CropToBox'),
        ...                          dict(type='Resize', scale=(224, 224)),
        ...                          dict(type='PackInputs')])
    """

    def __init__(self, data_root: str = '', split: str = 'train', **kwargs: Any) -> None:
        check_split(split)
        data_root = data_folder(data_root)
        check_layout(data_root, split)
        super().__init__(data_root, split=split, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read and checks the annotation; one dict an image of the split, in the file's order."""
        rows = rows_of(read_annotations(self.ann_file), self.split, self.ann_file)
        data_list = [self._data_info(*row) for row in rows]
        if not data_list:
            raise InputError(f'{self.ann_file}: there is no {self.split} image; {ADVICE}')
        return data_list

    def _data_info(self, where: str, values: list) -> dict:
        """Path, label and box of the image that an entry lists."""
        file, label, x1, y1, x2, y2 = values
        classes = len(self.metainfo['classes'])
        if not 1 <= label <= classes:
            raise InputError(
                f'{where}: class {label} is not among the {classes}; unpack the data set again'
            )
        path = osp.join(self.img_prefix, file)
        if not osp.isfile(path):
            raise InputError(f'{where}: the image {path} is missing; {ADVICE}')
        box = Row(where, [x1 - 1, y1 - 1, x2 - x1 + 1, y2 - y1 + 1])
        return dict(
            img_path=path, gt_label=label - 1, bbox=clip_box(box, image_size(path, where), path)
        )
