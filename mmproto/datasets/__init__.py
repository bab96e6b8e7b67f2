"""Data sets and their transforms."""

from .cars import AnnotatedCars
from .cub import AnnotatedCUB
from .folder import FolderDataset, folder_classes
from .transforms import CropToBox, LoadPicture, RandomRotate, RandomShear, RandomSkew

__all__ = [
    'AnnotatedCUB',
    'AnnotatedCars',
    'CropToBox',
    'FolderDataset',
    'LoadPicture',
    'RandomRotate',
    'RandomShear',
    'RandomSkew',
    'folder_classes',
]
