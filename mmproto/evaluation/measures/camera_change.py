"""The same scene by another camera: colours, noise, blur and compression that mislead nobody."""

import io

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

FACTOR = 1.125  # of brightness, contrast and saturation
HUE = 0.05  # of a turn
NOISE = 5**0.5  # standard deviation, in grey values
BLUR = 1  # radius of the box in pixels
QUALITY = 90  # of the JPEG file


def another_camera(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change an image as QuanProto's continuity does, with its constants.

    Brightness, contrast and saturation times 1.125, hue turned by 0.05 of a turn, Gaussian noise
    of variance 5, a 3x3 box blur, and JPEG of quality 90, in that order.

    Args:
        image: Red, green and blue, or grey: uint8 (H, W, 3) or (H, W).
        rng: Draws the noise.

    Returns:
        An image of that shape.
    """
    picture = Image.fromarray(image)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        picture = enhance(picture).enhance(FACTOR)
    if image.ndim == 3:
        hsv = np.array(picture.convert('HSV'))
        hsv[..., 0] += np.uint8(round(256 * HUE))  # a turn is 256
        picture = Image.fromarray(hsv, 'HSV').convert('RGB')
    noisy = np.asarray(picture, float) + rng.normal(0, NOISE, image.shape)
    picture = Image.fromarray(np.clip(noisy.round(), 0, 255).astype(np.uint8))
    file = io.BytesIO()
    picture.filter(ImageFilter.BoxBlur(BLUR)).save(file, 'JPEG', quality=QUALITY)
    return np.asarray(Image.open(file, formats=['JPEG']))
