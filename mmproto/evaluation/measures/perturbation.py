"""The perturbation test: spoil an image inside or outside of what a map marks, see the score drop.

After CaBRNet (Xu-Darme et al., CaBRNet, an open-source library for developing and evaluating
case-based reasoning models, 2024, version 1.2, "local perturbation analysis"), with the
perturbations of its published configuration. Its protocol: the image is perturbed before it is
resized to the network's input, by the map of the prototype's best cell, upsampled with cubic
interpolation and scaled from 0 to 1; the score after is the similarity at the cell that was the
best one before. A map that is right loses more inside than outside.
"""

import cv2
import numpy as np
from PIL import Image, ImageEnhance

BRIGHTNESS = 0.3  # what is left of it
CONTRASTS = (0.1, 0.2, 0.3)  # what is left of it
SATURATION = 0.3  # what is left of it
HUE = 0.2  # of the circle of colours
BLUR = 2.0  # standard deviation of the Gaussian, in pixels
BLUR_KERNEL = 21  # pixels
WAVES = 5  # along the longer side of what the map marks
WAVE_HEIGHT = 7  # pixels
WAVE_EXTENT = 0.3  # value of a map from 0 to 1 above which it marks a pixel, for the waves


def perturbations(image: np.ndarray, activation: np.ndarray) -> dict[str, np.ndarray]:
    """Perturb a whole image in each of CaBRNet's ways.

    Args:
        image: RGB, uint8 (H, W, 3).
        activation: Map (H, W) from 0 to 1; it sets the length of the distortion's waves only.

    Returns:
        Images, uint8 (H, W, 3), by CaBRNet's names.
    """
    picture = Image.fromarray(image)
    blurred = cv2.GaussianBlur(image.astype(np.float32), (BLUR_KERNEL, BLUR_KERNEL), BLUR)
    dark = ImageEnhance.Brightness(picture).enhance(BRIGHTNESS)
    perturbed = {
        'complex_perturbation': ImageEnhance.Contrast(dark).enhance(CONTRASTS[1]),
        'brightness': dark,
    }
    for number, contrast in enumerate(CONTRASTS, start=1):
        perturbed[f'contrast_{number}'] = ImageEnhance.Contrast(picture).enhance(contrast)
    perturbed['saturation'] = ImageEnhance.Color(picture).enhance(SATURATION)
    return {name: np.asarray(one) for name, one in perturbed.items()} | {
        'hue': turned_hue(image),
        'blur': np.round(blurred).astype(np.uint8),
        'distortion': distorted(image, activation),
    }


def turned_hue(image: np.ndarray) -> np.ndarray:
    """Turn the hue of an image (H, W, 3), uint8, by ``HUE`` of the circle."""
    hsv = np.array(Image.fromarray(image).convert('HSV'))
    hsv[..., 0] += np.uint8(HUE * 255)  # wraps around, as a circle does
    return np.asarray(Image.fromarray(hsv, 'HSV').convert('RGB'))


def distorted(image: np.ndarray, activation: np.ndarray) -> np.ndarray:
    """Shift the rows of an image, then its columns, along a sine.

    Args:
        image: Image (H, W, 3).
        activation: Map (H, W) from 0 to 1. ``WAVES`` waves go into the longer side of the box
            around what it marks, or into the image if it marks nothing.

    Returns:
        Image (H, W, 3); what leaves it on one side comes back on the other.
    """
    height, width = activation.shape
    marked = np.argwhere(activation > WAVE_EXTENT)
    side = np.ptp(marked, axis=0).max() + 1 if len(marked) else max(height, width)
    y, x = np.arange(height)[:, None], np.arange(width)
    rows, columns = (
        (WAVE_HEIGHT * np.sin(2 * np.pi * WAVES / side * place)).astype(int) for place in (y, x)
    )
    image = image[y, (x - rows) % width]
    return image[(y - columns) % height, x]


def blend(perturbed: np.ndarray, image: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Perturb an image by a share in each pixel.

    Args:
        perturbed: The whole image perturbed, uint8 (H, W, 3).
        image: The image, uint8 (H, W, 3).
        share: From 0 to 1 (H, W): a map to perturb inside of it, 1 - map to do so outside.

    Returns:
        Image, uint8 (H, W, 3).
    """
    share = share[..., None]
    return np.round(share * perturbed + (1 - share) * image).astype(np.uint8)


def relative_drop(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """By what fraction of its size a score drops.

    Args:
        before: Scores (...) on the image.
        after: Scores (...) on the perturbed image, at the cells that were the best ones before.

    Returns:
        Drops (...): 0 where the score stays, 1 where it drops to zero, negative where it rises;
        NaN where it was 0 before. They say little of a score that was close to 0.
    """
    return (before - after) / np.abs(np.where(before == 0, np.nan, before))
