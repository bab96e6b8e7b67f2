"""Transforms of images and of what is annotated on them."""

from .crop import CropToBox
from .load import LoadPicture
from .warp import RandomRotate, RandomShear, RandomSkew

__all__ = ['CropToBox', 'LoadPicture', 'RandomRotate', 'RandomShear', 'RandomSkew']
