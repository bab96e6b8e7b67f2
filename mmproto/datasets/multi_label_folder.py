"""Anybody's images with any number of labels each, such as the findings of an X-ray."""

import os.path as osp
from collections import Counter
from typing import Any

from mmpretrain.registry import DATASETS

from mmproto.datasets.annotations import ANNOTATIONS, annotation_path, named_images
from mmproto.datasets.folder import FolderDataset
from mmproto.datasets.folder_layout import LabelledImage
from mmproto.datasets.folder_split import held_out
from mmproto.errors import InputError


@DATASETS.register_module()
class MultiLabelFolderDataset(FolderDataset):
    """A :class:`FolderDataset` whose images have any number of labels, or none.

    `annotations.txt` has a line `path label,label,...` for each image, `path -` for one without;
    `gt_label` is a list, as of MMPretrain's `MultiLabelDataset`. Of the images that have the same
    labels `val_share` are held out; where there is one such image alone, it is trained with.
    Used by `configs/protopnet/resnet34_findings_folder.py`.

    Args:
        **kwargs: As for :class:`FolderDataset`.

    Raises:
        InputError: As of :class:`FolderDataset`, or there is no list.
    """

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return the images of the split, their labels as lists."""
        return [{**info, 'gt_label': list(info['gt_label'])} for info in super().load_data_list()]

    def _images(self, classes: tuple[str, ...]) -> list[LabelledImage]:
        annotations = annotation_path(self.data_root, self.given_list)
        if not annotations:
            raise InputError(
                f'{self.data_root} has no {ANNOTATIONS}: class folders say one class of each '
                "image; give a list with a line 'path label,label,...' for each, 'path -' for none"
            )
        listed = named_images(annotations, self.img_prefix)
        images = [
            LabelledImage(osp.join(self.img_prefix, name), labels, name)
            for name, labels in listed.items()
        ]
        if self.split == 'all':
            return images
        counts = Counter(listed.values())
        sets = [labels for labels, count in counts.items() if count > 1]
        alike = [i._replace(label=sets.index(i.label)) for i in images if counts[i.label] > 1]
        drawn = held_out(alike, tuple(map(str, sets)), self.val_share, self.seed)
        return [image for image in images if (image.name in drawn) == (self.split != 'train')]
