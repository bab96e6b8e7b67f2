"""Reading any image that Pillow knows, X-rays of 16 bits among them."""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpretrain.registry import TRANSFORMS
from PIL import Image, ImageOps

from mmproto.datasets.checks import UNREADABLE
from mmproto.errors import InputError

# One channel of more than 8 bits.
DEEP_MODES = ('I', 'F')


def to_8_bits(values: np.ndarray) -> np.ndarray:
    """Stretches an image to the range of 8 bits: its least value is 0, its greatest 255.

    Args:
        values: (H, W) or (H, W, 3) whole numbers or floats, colours by one range over all of
            them; one that is not finite counts as the least.

    Returns:
        uint8 of the same shape; zeros if all values are the same.
    """
    values = values.astype(np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, np.uint8)
    least, greatest = values[finite].min(), values[finite].max()
    scaled = (np.where(finite, values, least) - least) / max(greatest - least, np.finfo(float).tiny)
    return (scaled * 255).round().astype(np.uint8)


def has_deep_colours(image: Any) -> bool:
    """Whether an opened file has colours of 16 bits, of which Pillow would drop the lower 8."""
    return image.mode in ('RGB', 'RGBA') and any(';16' in str(tile.args) for tile in image.tile)


def deep_colours(image: Any) -> Image.Image:
    """Return the 16-bit colours of an opened file, stretched by one range over all of them."""
    image.load()  # raises for a truncated file, and says why
    values: Any = cv2.imread(image.filename, cv2.IMREAD_UNCHANGED)  # BGR or BGRA
    if values is None:
        raise OSError('OpenCV does not read its colours of 16 bits')
    channels = [to_8_bits(values[..., 2::-1])]
    if image.has_transparency_data:
        channels.append((values[..., 3] >> 8).astype(np.uint8))
    stretched = Image.fromarray(np.dstack(channels))
    stretched.getexif().update(image.getexif())
    return stretched


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an opened file as 8-bit RGB, upright, on white where it is transparent."""
    if has_deep_colours(image):
        image = deep_colours(image)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(DEEP_MODES):
        image = Image.fromarray(to_8_bits(np.asarray(image)))
    if image.has_transparency_data:
        image = image.convert('RGBA')
        image = Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image)
    return image.convert('RGB')


@TRANSFORMS.register_module()
class LoadPicture(BaseTransform):
    """Loads any image as `LoadImageFromFile` does a photograph: 8 bits, three channels, BGR.

    - one channel becomes three equal ones;
    - one of more than 8 bits (16-bit or float PNG and TIFF, as X-rays are) is stretched from its
      own least and greatest value to 0 and 255; 16-bit colours (PNG and TIFF) are by the least
      and greatest of all three, so that grey stays grey;
    - CMYK and palettes become colours, transparent parts white;
    - an image that says so in its EXIF data is turned upright, its sizes too;
    - of several frames or pages the first is taken.

    A single image that is given to MMPretrain's inferencer is read by that, and taken as it is.

    Required Keys:

    - img_path

    Added Keys:

    - img: (H, W, 3) uint8 array, BGR
    - img_shape, ori_shape: (H, W)

    Raises:
        InputError: The file is missing, truncated or no image.

    Example:
        >>> pipeline = [
        ...     dict(type='LoadPicture'),
        ...     dict(type='Resize', scale=(224, 224)),
        ...     dict(type='PackInputs'),
        ... ]
    """

    def transform(self, results: dict) -> dict:
        """Load `results['img_path']`."""
        if 'img_path' not in results and 'img' in results:
            return results  # a single image, read by an inferencer
        path = results['img_path']
        try:
            with Image.open(path) as image:
                rgb = np.asarray(to_rgb(image))
        except UNREADABLE as error:
            raise InputError(
                f'{path} cannot be read as an image ({error}): remove or replace the file'
            ) from error
        results['img'] = np.ascontiguousarray(rgb[..., ::-1])
        results['img_shape'] = results['ori_shape'] = rgb.shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'
