"""Transforms of images and of what is annotated on them."""

from .crop import CropToBox
from .warp import RandomRotate, RandomShear, RandomSkew

__all__ = ['CropToBox', 'RandomRotate', 'RandomShear', 'RandomSkew']
