"""Transforms of images and of what is annotated on them."""

from mmproto.datasets.transforms.crop import CropToBox
from mmproto.datasets.transforms.load import LoadPicture
from mmproto.datasets.transforms.warp import RandomRotate, RandomShear, RandomSkew

__all__ = ['CropToBox', 'LoadPicture', 'RandomRotate', 'RandomShear', 'RandomSkew']
