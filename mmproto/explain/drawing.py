"""Draws on images (height, width, 3), uint8, in OpenCV's BGR order."""

import cv2
import numpy as np

from mmproto.functional import Box

YELLOW = (0, 255, 255)
HEAT = 0.4
# Full colour resolution: a line one pixel wide keeps its colour.
JPEG = [
    cv2.IMWRITE_JPEG_QUALITY,
    92,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
]


def draw_box(image: np.ndarray, box: Box) -> np.ndarray:
    """A copy of the image with a box drawn around (top, bottom, left, right)."""
    top, bottom, left, right = box
    thickness = max(1, round(min(image.shape[:2]) / 100))
    corners = (left, top), (right - 1, bottom - 1)
    return cv2.rectangle(image.copy(), *corners, YELLOW, thickness)


def heat_map(image: np.ndarray, activation: np.ndarray) -> np.ndarray:
    """The image under an activation map (height, width), from its least to its greatest value."""
    scaled = cv2.normalize(activation, None, 0, 255, cv2.NORM_MINMAX, cv2.CV_8U)
    colours = cv2.applyColorMap(scaled, cv2.COLORMAP_JET)
    return cv2.addWeighted(image, 1 - HEAT, colours, HEAT, 0)


def save(path: str, image: np.ndarray) -> None:
    """Write an image as JPEG.

    Raises:
        OSError: If it cannot be written.
    """
    if not cv2.imwrite(path, image, JPEG):
        raise OSError(f'cannot write {path}')
