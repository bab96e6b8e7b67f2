"""Follows an image through its pipeline, so that boxes lead back to the original's pixels."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from mmcv.transforms import Compose

from mmproto.errors import InputError
from mmproto.functional import Box

RESIZES = {'Resize', 'ResizeEdge'}
CENTER_CROPS = {'CenterCrop'}
BOX_CROPS = {'CropToBox'}
PADS = {'Pad'}  # on the right and below, where no pixel moves


@dataclass(frozen=True)
class Geometry:
    """Where in the original image the pixels of the network's input come from.

    Attributes:
        size: Height and width of the original image.
        input_size: Height and width of the network's input.
        step: Height and width of an input pixel, in pixels of the original.
        start: Where the first input pixel begins (y, x), in pixels of the original.
    """

    size: tuple[int, int]
    input_size: tuple[int, int]
    step: tuple[float, float] = (1.0, 1.0)
    start: tuple[float, float] = (0.0, 0.0)

    def resized(self, before: tuple[int, int], after: tuple[int, int]) -> 'Geometry':
        """Return the geometry after a resize from one (height, width) to another."""
        rows, columns = (step * old / new for step, old, new in zip(self.step, before, after))
        return replace(self, step=(rows, columns), input_size=after)

    def cropped(self, top: int, left: int, after: tuple[int, int]) -> 'Geometry':
        """Return the geometry after a crop of that size (height, width) from a first pixel on."""
        y, x = (start + step * cut for start, step, cut in zip(self.start, self.step, (top, left)))
        return replace(self, start=(y, x), input_size=after)

    @property
    def input_box(self) -> Box:
        """The part of the original image that the network's input shows."""
        return self.to_original(Box(0, self.input_size[0], 0, self.input_size[1]))

    def to_original(self, box: Box) -> Box:
        """Return the box (top, bottom, left, right) in the original's pixels, rounded outward."""
        top, bottom, left, right = box
        ends = []
        for axis, (first, last) in enumerate(((top, bottom), (left, right))):
            start, step, size = self.start[axis], self.step[axis], self.size[axis]
            # 1e-6 keeps an exact pixel border exact where the step is a fraction
            ends += [
                min(max(math.floor(start + step * first + 1e-6), 0), size - 1),
                max(min(math.ceil(start + step * last - 1e-6), size), 1),
            ]
        return Box(*ends)

    def to_input(self, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points of the original image in the pixels of the network's input, not rounded."""
        return (y - self.start[0]) / self.step[0], (x - self.start[1]) / self.step[1]


def scaled_box(box: Box, size: tuple[int, int], new_size: tuple[int, int]) -> Box:
    """Return a box in an image of one (height, width), after a resize of the image to another."""
    rows, columns = (new / old for new, old in zip(new_size, size))
    top = min(round(box.top * rows), new_size[0] - 1)
    left = min(round(box.left * columns), new_size[1] - 1)
    bottom, right = round(box.bottom * rows), round(box.right * columns)
    return Box(top, max(bottom, top + 1), left, max(right, left + 1))


def loads_images(pipeline: Compose) -> bool:
    """Whether a pipeline begins by reading a file, as it does not for images held in memory."""
    return type(pipeline.transforms[0]).__name__.startswith('Load')


def follow(pipeline: Compose, info: dict) -> tuple[dict, np.ndarray, Geometry]:
    """Run a test pipeline, and note how it moves the pixels.

    Args:
        pipeline: A pipeline without random transforms.
        info: What a data set says of the image, with 'img_path'; or the image as 'img', an
            array (height, width, 3) or (height, width), for which the loading step is left out.

    Returns:
        What the pipeline gives, the original image as loaded or given, and where the input's
        pixels come from.

    Raises:
        InputError: If a transform changes the image's size in an unknown way.
    """
    transforms = list(pipeline.transforms)
    if 'img' not in info:
        info = transforms.pop(0)(info)
    elif loads_images(pipeline):
        del transforms[0]
    original = info['img']
    geometry = Geometry(original.shape[:2], original.shape[:2])
    for transform in transforms:
        before = info['img'].shape[:2]
        info = transform(info)
        if 'img' not in info:  # packed
            break
        after, name = info['img'].shape[:2], type(transform).__name__
        if name in BOX_CROPS and 'crop_box' in info:
            geometry = geometry.cropped(info['crop_box'][1], info['crop_box'][0], after)
        elif name in CENTER_CROPS:
            top, left = (max(0, round((old - new) / 2)) for old, new in zip(before, after))
            geometry = geometry.cropped(top, left, after)
        elif name in RESIZES:
            geometry = geometry.resized(before, after)
        elif name in PADS:
            geometry = replace(geometry, input_size=after)
        elif before != after:
            raise InputError(
                f'the pipeline has {name}, through which no box can be led back to the image: '
                f'use {", ".join(sorted(RESIZES | CENTER_CROPS | BOX_CROPS | PADS))}'
            )
    return info, original, geometry


def image_geometry(dataset: Any, image: int) -> Geometry:
    """Where in an image of a data set the pixels of the network's input come from.

    The image is decoded for that: ask once, for whatever is annotated on it.

    Args:
        dataset: A data set with a test pipeline.
        image: Index of the image.
    """
    return follow(dataset.pipeline, dataset.get_data_info(image))[2]
