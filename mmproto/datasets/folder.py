"""Anybody's images: a folder of class folders, or a list of images with their labels."""

import os.path as osp
from typing import Any

from mmpretrain.datasets import CustomDataset
from mmpretrain.registry import DATASETS

from mmproto.datasets.annotations import annotated_groups, annotation_path, named_images
from mmproto.datasets.folder_groups import check_apart, grouped, with_copies
from mmproto.datasets.folder_layout import (
    FOLDERS,
    LabelledImage,
    find_images,
    folder_classes,
    split_folders,
)
from mmproto.datasets.folder_split import balanced, check_both_sides, held_out
from mmproto.datasets.image_files import check_readable
from mmproto.errors import InputError

SPLITS = (*FOLDERS, 'all')
# Settings of CustomDataset that nothing here would heed.
REFUSED = ('extensions', 'filter_cfg', 'with_label')


@DATASETS.register_module()
class FolderDataset(CustomDataset):
    """Images of one's own, with a seeded validation split held out of them.

    What `data_root` may be, the first that fits:

    - a folder with `annotations.txt`, a line `path label` for each image, the path below
      `data_root` (or `data_prefix` in it) and the label a number from 0 on; a tab and a group may
      follow;
      `classes.txt` beside it may name the classes, one a line;
    - a folder with `train` and `val`, or `test`, or both, each with class folders: these are the
      splits, and where one of `val` and `test` is not there the other stands in for it;
    - a folder of class folders: of every class `val_share` of the images, drawn by `seed`, are
      'val' as well as 'test', and all others 'train'.

    Images of one group, such as a patient's, stay on one side of a split that is drawn, and so do
    files that are byte for byte the same. The infos of images that have a group say it, `group`.

    Args:
        data_root (str): The folder.
        ann_file (str): Another name for annotations.txt. Defaults to ''.
        split (str): 'train', 'val', 'test' or 'all'. Defaults to 'train'.
        val_share (float): Share of every class that is held out where the data is not split yet;
            a class keeps at least one image on each side. Defaults to 0.2.
        seed (int): Another seed, another split. Defaults to 0.
        group (str): Regular expression that finds an image's group in its path below the folder,
            by its first group in parentheses or as a whole: `(p[0-9]+)_` for `ill/p17_3.png`. In
            folders that are split already no group may be on two sides. Defaults to '', each
            image by itself, or as listed.
        balance (bool): Whether images of rarer classes come several times, so that each class has
            as many as the largest; for a training set. Defaults to False.
        **kwargs: As for :class:`mmpretrain.datasets.CustomDataset`, but `extensions`,
            `filter_cfg` and `with_label` are refused, `data_prefix` is for a list of images
            only, and `classes`, in `metainfo` or not, have to be those of the data, in order.

    Raises:
        InputError: A folder, a class or an image is missing, a file is no image, a class has
            too few of them, a line is broken, a group is on two sides, or a setting cannot be
            heeded. The message names it.

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
        group: str = '',
        balance: bool = False,
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
        self.group, self.balance = group, balance
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
        check_readable([image.path for image in images])
        if self.balance:
            images = balanced(images, self.seed)
        return [
            dict(img_path=image.path, gt_label=image.label)
            | (dict(group=image.group) if image.group else {})
            for image in images
        ]

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
            found = {
                folder: grouped(find_images(folder, classes), self.group, {})
                for folder in (dict.fromkeys(folders.values()) if self.group else chosen)
            }
            if self.group:
                check_apart(found)
            return [image for folder in chosen for image in found[folder]]
        images = self._listed(annotations) if annotations else find_images(self.data_root, classes)
        images = self._grouped(images, annotations)
        if self.split == 'all':
            return images
        drawn = self._held_out(images)
        check_both_sides(images, drawn, classes)
        return [p for p in images if (p.name in drawn) == (self.split != 'train')]

    def _grouped(self, images: list[LabelledImage], annotations: str) -> list[LabelledImage]:
        """Return the images with the groups that the setting or the list gives them."""
        listed = annotated_groups(annotations, self.img_prefix) if annotations else {}
        return grouped(images, self.group, listed)

    def _held_out(self, images: list[LabelledImage]) -> set[str]:
        """Names of the images that are held out, whole groups of them."""
        return held_out(with_copies(images), self.val_share, self.seed)

    def _listed(self, annotations: str) -> list[LabelledImage]:
        images = []
        for name, labels in named_images(annotations, self.img_prefix).items():
            if len(labels) != 1:
                raise InputError(
                    f'{annotations}: {name} has {len(labels)} labels, but one class an image is '
                    'expected; for any number of them take MultiLabelFolderDataset, as '
                    'configs/protopnet/resnet34_findings_folder.py does'
                )
            images.append(LabelledImage(osp.join(self.img_prefix, name), labels[0], name))
        return images
