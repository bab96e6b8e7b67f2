"""Where in the network's input the parts are that a data set has annotated."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from mmproto.datasets.geometry import Geometry, image_geometry
from mmproto.datasets.image_dataset import ImageDataset


def part_names(dataset: ImageDataset) -> list[str] | None:
    """Names of the parts that a data set annotates on every image, None if it has none."""
    names = getattr(dataset, 'metainfo', {}).get('part_names') or ()
    known = names and hasattr(dataset, 'pipeline') and 'parts' in dataset.get_data_info(0)
    return list(names) if known else None


def parts_in_input(dataset: Any, image: int, geometry: Geometry) -> np.ndarray:
    """Where the parts of an image are in the network's input.

    Args:
        dataset: A data set whose infos have 'parts' (num_parts, 3): x, y in pixels of the
            original image, and whether the part is visible.
        image: Index of the image.
        geometry: See :func:`mmproto.datasets.geometry.image_geometry`.

    Returns:
        y and x of every part (num_parts, 2); NaN for a part that is not visible.
    """
    x, y, visible = np.array(dataset.get_data_info(image)['parts'], float).T
    return np.where(visible[:, None] > 0, np.stack(geometry.to_input(y, x), axis=1), np.nan)


def parts_of_images(dataset: ImageDataset, images: Iterable[int]) -> dict[int, np.ndarray]:
    """:func:`parts_in_input` of several images, by their indices."""
    images = sorted(set(images))

    def of_image(image: int) -> np.ndarray:
        return parts_in_input(dataset, image, image_geometry(dataset, image))

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return dict(zip(images, pool.map(of_image, images)))
