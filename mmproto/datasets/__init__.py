"""Data sets and their transforms."""

from .cub import AnnotatedCUB
from .transforms import CropToBox, RandomRotate, RandomShear, RandomSkew

__all__ = ['AnnotatedCUB', 'CropToBox', 'RandomRotate', 'RandomShear', 'RandomSkew']
