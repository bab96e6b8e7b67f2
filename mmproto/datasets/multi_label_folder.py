"""Anybody's images with any number of labels each, such as the findings of an X-ray."""

import os.path as osp
from typing import Any

from mmpretrain.registry import DATASETS

from mmproto.datasets.annotations import ANNOTATIONS, annotation_path, named_images
from mmproto.datasets.folder import FolderDataset
from mmproto.datasets.folder_layout import LabelledImage
from mmproto.errors import InputError


@DATASETS.register_module()
class MultiLabelFolderDataset(FolderDataset):
    """A :class:`FolderDataset` whose images have any number of labels, or none.

    `annotations.txt` has a line `path label,label,...` for each image, `path -` for one without;
    `gt_label` is a list, as of MMPretrain's `MultiLabelDataset`. Of the images that have the same
    labels `val_share` are held out; one such image alone is trained with, or
    goes where its group goes. Used by `configs/protopnet/resnet34_findings_folder.py`.

    Args:
        **kwargs: As for :class:`FolderDataset`, but `balance` is refused.

    Raises:
        InputError: As of :class:`FolderDataset`, or there is no list.
    """

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return the images of the split, their labels as lists."""
        return [{**info, 'gt_label': list(info['gt_label'])} for info in super().load_data_list()]

    def _images(self, classes: tuple[str, ...]) -> list[LabelledImage]:
        if self.balance:
            raise InputError(
                'dataset.balance: images with any number of labels cannot be repeated until all '
                'labels are as frequent; remove it'
            )
        annotations = annotation_path(self.data_root, self.given_list)
        if not annotations:
            raise InputError(
                f'{self.data_root} has no {ANNOTATIONS}: class folders say one class of each '
                "image; give a list with a line 'path label,label,...' for each, 'path -' for none"
            )
        images = [
            LabelledImage(osp.join(self.img_prefix, name), labels, name)
            for name, labels in named_images(annotations, self.img_prefix).items()
        ]
        images = self._grouped(images, annotations)
        if self.split == 'all':
            return images
        drawn = self._held_out(images)
        return [image for image in images if (image.name in drawn) == (self.split != 'train')]
