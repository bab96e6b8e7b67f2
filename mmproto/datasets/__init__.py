"""Data sets and their transforms."""

from .cars import AnnotatedCars
from .cub import AnnotatedCUB
from .transforms import CropToBox, RandomRotate, RandomShear, RandomSkew

__all__ = [
    'AnnotatedCUB',
    'AnnotatedCars',
    'CropToBox',
    'RandomRotate',
    'RandomShear',
    'RandomSkew',
]
