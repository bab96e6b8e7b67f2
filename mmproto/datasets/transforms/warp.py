"""The augmentation of the reference implementation, online: rotate, skew and shear.

Each warp is a homography, a 3x3 matrix that takes a pixel (x, y, 1) of the source to the pixel of
the output that shows it, both images having the same size. Pixels are counted at their centres, so
an image spans [0, width - 1] x [0, height - 1]. Every output pixel comes from inside the source:
no warp brings black corners in.
"""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmpretrain.registry import TRANSFORMS

# How far each corner (top left, top right, bottom right, bottom left) goes outward along x and y.
_OUTWARD = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
_ONE_CORNER = [_OUTWARD * move for move in np.eye(8, dtype=int).reshape(8, 4, 2)]
_TILT = [
    _ONE_CORNER[2 * a + axis] + _ONE_CORNER[2 * b + axis]
    for a, b, axis in [(0, 3, 1), (1, 2, 1), (0, 1, 0), (2, 3, 0)]
]  # left, right, top, bottom
SKEWS = np.array(_TILT + _ONE_CORNER)
SKEW_PROBABILITIES = np.array([3 / 16] * 4 + [1 / 32] * 8)  # the reference's: 3 tilts to 1 corner
MAX_SHEAR = 0.9  # of a side; a long thin image would be sheared away altogether


def rotate_homography(height: int, width: int, angle: float) -> np.ndarray:
    """Turn about the centre and magnifies the largest inscribed rectangle of the same aspect.

    Args:
        height (int): Of the image in pixels, at least 2.
        width (int): Of the image in pixels, at least 2.
        angle (float): In degrees, counter-clockwise, at most 90 either way.

    Returns:
        np.ndarray: (3, 3), source pixel to output pixel.
    """
    h, w = height - 1, width - 1
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    zoom = max(cos + abs(sin) * h / w, cos + abs(sin) * w / h)
    to_centre = np.array([[1, 0, -w / 2], [0, 1, -h / 2], [0, 0, 1]])
    turn = np.array([[zoom * cos, zoom * sin, w / 2], [-zoom * sin, zoom * cos, h / 2], [0, 0, 1]])
    return turn @ to_centre


def skew_homography(height: int, width: int, amount: float, skew: int) -> np.ndarray:
    """Pushes one or two corners out of the image, as if it were tilted.

    Args:
        height (int): Of the image in pixels, at least 2.
        width (int): Of the image in pixels, at least 2.
        amount (float): How far the corners go, in longer sides of the image.
        skew (int): Row of `SKEWS`: a tilt to one of four sides, then eight moves of one corner.

    Returns:
        np.ndarray: (3, 3), source pixel to output pixel.
    """
    h, w = height - 1, width - 1
    corners = np.array([[0, 0], [w, 0], [w, h], [0, h]], dtype=np.float32)
    moved = corners + SKEWS[skew] * amount * max(height, width)
    return cv2.getPerspectiveTransform(corners, moved.astype(np.float32))


def shear_homography(height: int, width: int, angle: float, vertical: bool) -> np.ndarray:
    """Shears and stretches what is left between the two empty triangles.

    Args:
        height (int): Of the image in pixels, at least 2.
        width (int): Of the image in pixels, at least 2.
        angle (float): In degrees; positive moves the bottom to the right (the right side down).
        vertical (bool): Shear up and down instead of left and right.

    Returns:
        np.ndarray: (3, 3), source pixel to output pixel.
    """
    if vertical:
        return shear_homography(width, height, angle, False)[[1, 0, 2]][:, [1, 0, 2]]
    h, w = height - 1, width - 1
    shift = np.clip(np.tan(np.deg2rad(angle)) * h, -MAX_SHEAR * w, MAX_SHEAR * w)
    stretch = w / (w - abs(shift))
    return np.array(
        [[stretch, stretch * shift / h, -stretch * max(shift, 0)], [0, 1, 0], [0, 0, 1]]
    )


class RandomWarp(BaseTransform):
    """Base of the warps: draws the parameters of a homography and warps once, bilinearly.

    A subclass gives `draw()`, the random parameters from numpy's global generator, and
    `homography(height, width, *parameters)`.

    The output has the size of the input. Only `img` is changed: boxes and parts stay where they
    were, so a pipeline that needs them should not warp.
    """

    def transform(self, results: dict) -> dict:
        """Warps `results['img']`."""
        height, width = results['img'].shape[:2]
        matrix = self.homography(height, width, *self.draw())
        results['img'] = cv2.warpPerspective(results['img'], matrix, (width, height))
        return results


@TRANSFORMS.register_module()
class RandomRotate(RandomWarp):
    """Rotates by a uniformly random angle, without black corners; see `rotate_homography`.

    Args:
        max_angle (float): In degrees, either way. Defaults to 15.

    Example:
        >>> pipeline = [dict(type='LoadImageFromFile'), dict(type='RandomRotate', max_angle=15)]
    """

    homography = staticmethod(rotate_homography)

    def __init__(self, max_angle: float = 15) -> None:
        self.max_angle = max_angle

    @cache_randomness
    def draw(self) -> tuple[float]:
        """Return the angle."""
        return (np.random.uniform(-self.max_angle, self.max_angle),)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(max_angle={self.max_angle})'


@TRANSFORMS.register_module()
class RandomSkew(RandomWarp):
    """Tilts the image to a side, or moves one of its corners outward; see `skew_homography`.

    As in the reference, three skews in four are tilts, to any of the four sides.

    Args:
        magnitude (float): The farthest a corner goes, in longer sides of the image.
            Defaults to 0.2.

    Example:
        >>> pipeline = [dict(type='LoadImageFromFile'), dict(type='RandomSkew', magnitude=0.2)]
    """

    homography = staticmethod(skew_homography)

    def __init__(self, magnitude: float = 0.2) -> None:
        self.magnitude = magnitude

    @cache_randomness
    def draw(self) -> tuple[float, int]:
        """Return the amount and the kind of skew."""
        return (
            np.random.uniform(0, self.magnitude),
            np.random.choice(len(SKEWS), p=SKEW_PROBABILITIES),
        )

    def __repr__(self) -> str:
        return f'{type(self).__name__}(magnitude={self.magnitude})'


@TRANSFORMS.register_module()
class RandomShear(RandomWarp):
    """Shears left and right or up and down by a uniformly random angle; see `shear_homography`.

    Args:
        max_angle (float): In degrees, either way. Defaults to 10.

    Example:
        >>> pipeline = [dict(type='LoadImageFromFile'), dict(type='RandomShear', max_angle=10)]
    """

    homography = staticmethod(shear_homography)

    def __init__(self, max_angle: float = 10) -> None:
        self.max_angle = max_angle

    @cache_randomness
    def draw(self) -> tuple[float, bool]:
        """Return the angle and the direction."""
        return np.random.uniform(-self.max_angle, self.max_angle), np.random.rand() < 0.5

    def __repr__(self) -> str:
        return f'{type(self).__name__}(max_angle={self.max_angle})'
