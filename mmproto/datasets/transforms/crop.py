"""Cropping an image to the box of its object."""

from mmcv.transforms import BaseTransform
from mmpretrain.registry import TRANSFORMS

from mmproto.errors import InputError


@TRANSFORMS.register_module()
class CropToBox(BaseTransform):
    """Crops the image to the box that the data set gives for it.

    The box is rounded as PIL's crop with whole numbers does: each coordinate loses its fraction.
    A single image that is given to MMPretrain's inferencer or to its `vis_cam.py` comes from no
    data set, so it has no `sample_idx` and no box, and is taken as it is.

    A pixel (x, y) of the crop is pixel (x + x1, y + y1) of the original image.

    Required Keys:

    - img: (H, W, C) array
    - bbox: x1, y1, x2, y2 in pixels of the original image
    - parts (optional): (num_parts, 3) array of x, y, visible

    Modified Keys:

    - img, img_shape: those of the crop
    - parts: moved along with the crop

    Added Keys:

    - crop_box: (x1, y1, x2, y2), whole pixels of the original image

    Raises:
        InputError: The data set gives no box, or the box is empty or not inside the image.

    Example:
        >>> pipeline = [
        ...     dict(type='LoadImageFromFile'),
        ...     dict(type='CropToBox'),
        ...     dict(type='Resize', scale=(224, 224)),
        ...     dict(type='PackInputs'),
        ... ]
    """

    def transform(self, results: dict) -> dict:
        """Crops `results['img']`."""
        if 'bbox' not in results and 'sample_idx' not in results:
            return results  # a single image: cropped already
        if 'bbox' not in results:
            raise InputError("the data set gives no 'bbox': use AnnotatedCUB or AnnotatedCars")
        x1, y1, x2, y2 = (int(value) for value in results['bbox'])
        height, width = results['img'].shape[:2]
        if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
            raise InputError(
                f'the box {(x1, y1, x2, y2)} is not inside the image of '
                f'{width}x{height} pixels: {results.get("img_path")}'
            )

        results['img'] = results['img'][y1:y2, x1:x2]
        results['img_shape'] = results['img'].shape[:2]
        results['crop_box'] = (x1, y1, x2, y2)
        if 'parts' in results:
            results['parts'] = results['parts'] - [x1, y1, 0]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'
