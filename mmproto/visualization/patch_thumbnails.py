"""Thumbnails of the patches that a report names."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from rich.progress import track

from mmproto.analysis.image_patch import ImagePatch
from mmproto.datasets.image_dataset import ImageDataset
from mmproto.functional import Box
from mmproto.visualization.prototype_images import input_image
from mmproto.visualization.thumbnails import Thumbnails

PATCH = 56


def patch_key(patch: ImagePatch) -> tuple[str, int, Box]:
    """Return what tells a patch from others on the page: split, image and box."""
    return patch.split, patch.image, patch.box


def patch_thumbnails(
    patches: Iterable[ImagePatch], datasets: Mapping[str, ImageDataset], thumbnails: Thumbnails
) -> dict[tuple[str, int, Box], str]:
    """Address of every patch's thumbnail, by :func:`patch_key`; each image is loaded once."""
    boxes = defaultdict(set)
    for patch in patches:
        boxes[patch.split, patch.image].add(patch.box)

    def crop(image: tuple[str, int]) -> dict[tuple, np.ndarray]:
        split, index = image
        pixels = input_image(datasets[split], index)
        return {
            (split, index, box): pixels[box.top : box.bottom, box.left : box.right]
            for box in sorted(boxes[image])
        }

    found: dict[tuple, str] = {}
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        images = sorted(boxes)
        for crops in track(threads.map(crop, images), total=len(images), description='patches'):
            found |= {key: thumbnails.add(pixels, PATCH) for key, pixels in crops.items()}
    return found
