"""Draws on images (height, width, 3), uint8, in OpenCV's BGR order."""

from base64 import b64encode
from pathlib import Path

import cv2
import numpy as np

from mmproto.datasets.geometry import Geometry, scaled_box
from mmproto.explanation.high_activation import upsample
from mmproto.functional import Box
from mmproto.utils.files import whole_file

YELLOW = (0, 255, 255)
HEAT = 0.4
# Over grey, where every hue of jet would look like a bright or dark place of the image itself.
GREY_HEAT = 0.55
CONTOURS = (0.5, 0.8)  # of the range
INFERNO = cv2.applyColorMap(np.arange(256, dtype=np.uint8), cv2.COLORMAP_INFERNO)
JET = cv2.applyColorMap(np.arange(256, dtype=np.uint8), cv2.COLORMAP_JET)
# No page needs more pixels, and many images are held at once.
DISPLAY_SIDE = 1024
# Full colour resolution: a line one pixel wide keeps its colour.
JPEG = [
    cv2.IMWRITE_JPEG_QUALITY,
    92,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
]


def draw_box(image: np.ndarray, box: Box) -> np.ndarray:
    """Return a copy of the image with a box drawn around (top, bottom, left, right)."""
    top, bottom, left, right = box
    thickness = max(1, round(min(image.shape[:2]) / 100))
    corners = (left, top), (right - 1, bottom - 1)
    return cv2.rectangle(image.copy(), *corners, YELLOW, thickness)


def heat_map(image: np.ndarray, activation: np.ndarray) -> np.ndarray:
    """Draw the image under an activation map (height, width), stretched to its range.

    A grey image stays as it is where the map is low; above, colours grow lighter and thicker with
    it, and thin lines go around the upper half and the upper fifth of its range.
    """
    scaled = np.empty(activation.shape, np.uint8)
    cv2.normalize(activation, scaled, 0, 255, cv2.NORM_MINMAX, cv2.CV_8U)
    if is_grey(image):
        return _heat_over_grey(image, scaled)
    # a look-up takes a quarter of the time that cv2.applyColorMap takes
    colours = cv2.LUT(cv2.cvtColor(scaled, cv2.COLOR_GRAY2BGR), JET)
    return cv2.addWeighted(image, 1 - HEAT, colours, HEAT, 0)


def is_grey(image: np.ndarray) -> bool:
    """Whether the three channels of an image are the same."""
    first = image[..., 0]
    return all(np.array_equal(first, image[..., other]) for other in range(1, image.shape[2]))


def _heat_over_grey(image: np.ndarray, scaled: np.ndarray) -> np.ndarray:
    colours = cv2.LUT(cv2.cvtColor(scaled, cv2.COLOR_GRAY2BGR), INFERNO)
    cover = GREY_HEAT * (scaled[..., None] / np.float32(255))
    drawn = (image * (1 - cover) + colours * cover).round().astype(np.uint8)
    thickness = max(1, round(min(image.shape[:2]) / 250))
    for level in CONTOURS:
        above = (scaled >= 255 * level).astype(np.uint8)
        lines, _ = cv2.findContours(above, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        colour = INFERNO[0, round(255 * level)].tolist()
        cv2.drawContours(drawn, lines, -1, colour, thickness, cv2.LINE_AA)
    return drawn


def outline(region: np.ndarray) -> str:
    """Return the outlines of a region (height, width), bool, as the path of an SVG in its pixels.

    They go through the middle of its outermost pixels.
    """
    lines, _ = cv2.findContours(region.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    paths = (' '.join(f'{x + 0.5},{y + 0.5}' for x, y in line[:, 0].tolist()) for line in lines)
    return ''.join(f'M{path}Z' for path in paths)


def save(path: str, image: np.ndarray) -> None:
    """Write an image as JPEG.

    Raises:
        OSError: If it cannot be written.
    """
    _, buffer = cv2.imencode('.jpg', image, JPEG)
    with whole_file(Path(path)) as file:  # OpenCV's own would not see a full disk
        file.write_bytes(buffer.tobytes())


def thumbnail(image: np.ndarray, side: int) -> np.ndarray:
    """Return the image scaled so that its longer side has that many pixels."""
    scale = side / max(image.shape[:2])
    size = tuple(max(1, round(length * scale)) for length in image.shape[1::-1])
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=interpolation)


def in_bgr(image: np.ndarray) -> np.ndarray:
    """Return an image in RGB order in OpenCV's; one of a single channel is the same in both."""
    if image.ndim == 2 or image.shape[2] == 1:
        return image
    return cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)


def display_copy(image: np.ndarray) -> np.ndarray:
    """Return the image in three channels, made smaller if it is larger than a page needs."""
    if image.ndim == 2 or image.shape[2] == 1:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    scale = DISPLAY_SIDE / max(image.shape[:2])
    if scale >= 1:
        return image
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def data_uri(image: np.ndarray, quality: int = 85) -> str:
    """Return the image as the data URI of a JPEG, for pages that stand alone."""
    done, buffer = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f'no JPEG can be made of an array {image.shape} of {image.dtype}')
    return f'data:image/jpeg;base64,{b64encode(buffer.tobytes()).decode()}'


def heat_map_of_input(image: np.ndarray, geometry: Geometry, activation: np.ndarray) -> np.ndarray:
    """Draw the original image, at any scale, with a heat map on what the network sees.

    Args:
        image: (height, width, 3), uint8, BGR.
        geometry: Where the network's input comes from.
        activation: Activation (h, w) of the network's input, at any scale.
    """
    top, bottom, left, right = scaled_box(geometry.input_box, geometry.size, image.shape[:2])
    part = image[top:bottom, left:right]
    result = image.copy()
    # OpenCV knows no half precision
    result[top:bottom, left:right] = heat_map(
        part, upsample(activation.astype(np.float32), part.shape[:2])
    )
    return result
