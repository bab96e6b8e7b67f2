"""Data sets and their transforms."""

from mmproto.datasets.cars import AnnotatedCars
from mmproto.datasets.cub import AnnotatedCUB
from mmproto.datasets.folder import FolderDataset, folder_classes
from mmproto.datasets.multi_label_folder import MultiLabelFolderDataset
from mmproto.datasets.repeat_to_dataset import RepeatToDataset
from mmproto.datasets.transforms import (
    CropToBox,
    LoadPicture,
    RandomRotate,
    RandomShear,
    RandomSkew,
)

__all__ = [
    'AnnotatedCUB',
    'AnnotatedCars',
    'CropToBox',
    'FolderDataset',
    'LoadPicture',
    'MultiLabelFolderDataset',
    'RandomRotate',
    'RandomShear',
    'RandomSkew',
    'RepeatToDataset',
    'folder_classes',
]
