"""What the pixels of a patch say: whether it is blank, whether unlike images have it as well."""

from collections.abc import Iterable

import cv2
import numpy as np
import torch
from torch import Tensor

from mmproto.functional import Box

SIDE = 128  # a stamp of text can still be told, and thousands of copies fit the memory
# Of the image's sides, up to which a marker on the edge, put there by hand, may be elsewhere: half
# a cell of 12. What a program has written is at the same pixels. Plumage of rendered birds is
# within that of the place in up to half of a species' images, at the same pixels in up to 22 %.
SHIFT = 0.04
# Correlation of two patches' fine detail. Chest X-rays, which lie alike, reach 0.4 where anatomy is
# compared with anatomy, 0.65 to 0.95 where a frame or a letter is. With what is coarse, ribs reach
# 0.95 as well.
SAME = 0.6
FINE = 1.0  # pixels of SIDE, standard deviation of the Gaussian above which detail is fine
FAINT = 1.0  # grey values by which fine detail has to vary, or there is none but noise
ALIKE = 0.8  # correlation of two images beside the patch, above which the images are alike
COARSE = 16  # pixels a side, where images are compared


def grey_copy(inputs: Tensor) -> np.ndarray:
    """Return an image (C, H, W) small and grey (h, w), uint8."""
    grey = inputs.to(torch.float32).mean(dim=0).clamp(0, 255).byte().cpu().numpy()
    scale = SIDE / max(grey.shape)
    if scale >= 1:
        return grey
    return cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def pixels(grey: np.ndarray, box: tuple[float, float, float, float]) -> Box:
    """Return a box in fractions of an image in its pixels, at least two on a side."""
    height, width = grey.shape
    top, left = min(int(box[0] * height), height - 2), min(int(box[2] * width), width - 2)
    bottom, right = round(box[1] * height), round(box[3] * width)
    return Box(max(top, 0), max(bottom, top + 2), max(left, 0), max(right, left + 2))


def contrast(grey: np.ndarray, box: Box | None = None) -> float:
    """Return the standard deviation of the grey values, in a box or in the whole image."""
    if box is not None:
        grey = grey[box.top : box.bottom, box.left : box.right]
    return float(grey.std())


def unlike_images_with(grey: np.ndarray, box: Box, others: Iterable[np.ndarray]) -> tuple[int, int]:
    """How many images have what is in a box at the same place, though they are unlike beside it.

    That is a watermark, burnt-in text, a frame: not what an object is known by.

    Args:
        grey: The image (h, w), uint8.
        box: The part of it. Without any detail in it no image is compared.
        others: Images of any size.

    Returns:
        Number of those images, and of the unlike images that were compared.
    """
    detail, found, compared = fine_detail(grey), 0, 0
    if fine_detail(grey[box.top : box.bottom, box.left : box.right]).std() < FAINT:
        return 0, 0
    for other in others:
        other = cv2.resize(other, grey.shape[::-1], interpolation=cv2.INTER_AREA)
        if _alike_beside(grey, other, box):
            continue
        compared += 1
        found += _correlation_near(detail, fine_detail(other), box) >= SAME
    return found, compared


def fine_detail(grey: np.ndarray) -> np.ndarray:
    """Return an image (h, w) less what of it is coarse, fp32."""
    grey = grey.astype(np.float32)
    return grey - cv2.GaussianBlur(grey, (0, 0), FINE)


def _correlation_near(grey: np.ndarray, other: np.ndarray, box: Box) -> float:
    """Return the correlation of the box with the same place of the other image.

    The greatest one next to it if the box reaches the edge.
    """
    (height, width), down, across = grey.shape, 0, 0
    if min(box.top, box.left, height - box.bottom, width - box.right) <= 1:
        down, across = (max(1, round(SHIFT * side)) for side in grey.shape)
    around = other[
        max(0, box.top - down) : box.bottom + down, max(0, box.left - across) : box.right + across
    ]
    patch = grey[box.top : box.bottom, box.left : box.right]
    found = cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED)
    # OpenCV gives infinities, and 1, where a place has no contrast.
    return float(found[np.abs(found) <= 1.001].max(initial=0)) if around.std() else 0.0


def _alike_beside(grey: np.ndarray, other: np.ndarray, box: Box) -> bool:
    """Whether two images are alike without the box."""
    beside = np.ones(grey.shape, np.float32)
    beside[box.top : box.bottom, box.left : box.right] = 0
    size = (COARSE, COARSE)
    seen = cv2.resize(beside, size, interpolation=cv2.INTER_AREA) > 0.99
    one, two = (
        cv2.resize(image, size, interpolation=cv2.INTER_AREA)[seen].astype(float)
        for image in (grey, other)
    )
    if len(one) < 2 or not one.std() or not two.std():
        return False
    return bool(np.corrcoef(one, two)[0, 1] > ALIKE)
