"""Where in the network's input the parts are that a data set has annotated."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from mmproto.datasets.geometry import follow
from mmproto.datasets.image_dataset import ImageDataset


def part_names(dataset: ImageDataset) -> list[str] | None:
    """Names of the parts that a data set annotates on every image, None if it has none."""
    names = getattr(dataset, 'metainfo', {}).get('part_names') or ()
    known = names and hasattr(dataset, 'pipeline') and 'parts' in dataset.get_data_info(0)
    return list(names) if known else None


def parts_in_input(dataset: Any, image: int) -> np.ndarray:
    """Where the parts of an image are in the network's input.

    Args:
        dataset: A data set whose infos have 'parts' (num_parts, 3): x, y in pixels of the
            original image, and whether the part is visible.
        image: Index of the image.

    Returns:
        y and x of every part (num_parts, 2); NaN for a part that is not visible.
    """
    info = dataset.get_data_info(image)
    x, y, visible = np.array(info['parts'], float).T  # a copy: crops move the info's own
    geometry = follow(dataset.pipeline, info)[2]
    return np.where(visible[:, None] > 0, np.stack(geometry.to_input(y, x), axis=1), np.nan)


def parts_of_images(dataset: ImageDataset, images: Iterable[int]) -> dict[int, np.ndarray]:
    """:func:`parts_in_input` of several images, by their indices."""
    images = sorted(set(images))
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return dict(zip(images, pool.map(lambda image: parts_in_input(dataset, image), images)))
