"""Where in the network's input the object is that a data set has a box around."""

from typing import Any

import numpy as np

from mmproto.datasets.geometry import follow


def has_boxes(dataset: Any) -> bool:
    """Whether a data set has a box around the object of every image."""
    return hasattr(dataset, 'pipeline') and 'bbox' in dataset.get_data_info(0)


def box_in_input(dataset: Any, image: int) -> tuple[float, float, float, float]:
    """Return top, bottom, left and right of an image's object in the network's input, not rounded.

    Args:
        dataset: A data set whose infos have 'bbox': x1, y1, x2, y2 in pixels of the original image.
        image: Index of the image.

    Raises:
        InputError: If a transform changes the image's size in an unknown way.
    """
    info = dataset.get_data_info(image)
    x1, y1, x2, y2 = np.array(info['bbox'], float)
    geometry = follow(dataset.pipeline, info)[2]
    (top, bottom), (left, right) = geometry.to_input(np.array([y1, y2]), np.array([x1, x2]))
    return float(top), float(bottom), float(left), float(right)
