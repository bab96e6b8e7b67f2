"""Reading any image that Pillow or pydicom knows, X-rays of 16 bits among them."""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpretrain.registry import TRANSFORMS
from PIL import Image, ImageOps

from mmproto.datasets.grey_levels import to_8_bits
from mmproto.datasets.image_files import UNREADABLE, open_image
from mmproto.errors import InputError

# One channel of more than 8 bits.
DEEP_MODES = ('I', 'F')
COLOR_TYPES = ('color', 'grayscale')


def has_deep_colours(image: Any) -> bool:
    """Whether an opened file has colours of 16 bits, of which Pillow would drop the lower 8."""
    return image.mode in ('RGB', 'RGBA') and any(
        ';16' in str(tile.args) for tile in getattr(image, 'tile', [])
    )


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

    - one channel becomes three equal ones; with ``color_type='grayscale'`` every image becomes one
      channel, for a network that takes one;
    - one of more than 8 bits (16-bit or float PNG and TIFF, as X-rays are) is stretched from its
      own least and greatest value to 0 and 255; 16-bit colours (PNG and TIFF) are by the least
      and greatest of all three, so that grey stays grey;
    - DICOM is shown as a viewer shows it, see :func:`mmproto.datasets.dicom.read_dicom`;
    - CMYK and palettes become colours, transparent parts white;
    - an image that says so in its EXIF data is turned upright, its sizes too;
    - of an animation, and of a JPEG with a preview, the first frame is taken; a TIFF or DICOM file
      of several pages or frames is refused.

    A single image that is given to MMPretrain's inferencer is read by that, and taken as it is
    (of three channels one is made, where one is wanted).

    Required Keys:

    - img_path

    Added Keys:

    - img: (H, W, 3) uint8 array, BGR; (H, W) with ``color_type='grayscale'``
    - img_shape, ori_shape: (H, W)

    Args:
        color_type (str): 'color' or 'grayscale', as for MMCV's `LoadImageFromFile`. Defaults to
            'color'.

    Raises:
        InputError: The file is missing, truncated, no image or several, or it is DICOM and pydicom
            is not installed.

    Example:
        >>> pipeline = [
        ...     dict(type='LoadPicture'),
        ...     dict(type='Resize', scale=(224, 224)),
        ...     dict(type='PackInputs'),
        ... ]
    """

    def __init__(self, color_type: str = 'color') -> None:
        if color_type not in COLOR_TYPES:
            raise InputError(
                f"LoadPicture.color_type='{color_type}': give one of {', '.join(COLOR_TYPES)}"
            )
        self.color_type = color_type

    def transform(self, results: dict) -> dict:
        """Load `results['img_path']`."""
        if 'img_path' not in results and 'img' in results:
            # a single image, read by an inferencer
            if self.color_type == 'grayscale' and results['img'].ndim == 3:
                results['img'] = cv2.cvtColor(results['img'], cv2.COLOR_BGR2GRAY)
            return results
        path = results['img_path']
        try:
            with open_image(path) as image:
                picture = to_rgb(image)
        except InputError:
            raise
        except UNREADABLE as error:
            raise InputError(
                f'{path} cannot be read as an image ({error}): remove or replace the file'
            ) from error
        if self.color_type == 'grayscale':
            results['img'] = np.array(picture.convert('L'))
        else:
            results['img'] = np.ascontiguousarray(np.asarray(picture)[..., ::-1])
        results['img_shape'] = results['ori_shape'] = results['img'].shape[:2]
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(color_type='{self.color_type}')"
