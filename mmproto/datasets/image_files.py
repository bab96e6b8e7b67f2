"""The files of images: which are seen, and how they are opened."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from mmproto.datasets.dicom import (
    DICOM_EXTENSIONS,
    is_dicom,
    read_dicom,
    read_header,
    several_images,
)
from mmproto.errors import InputError

EXTENSIONS = (
    *('.jpg', '.jpeg', '.png', '.ppm', '.pgm', '.bmp', '.tif', '.tiff', '.webp'),
    *DICOM_EXTENSIONS,
)
# What Pillow's readers raise for a file that is no image, broken or truncated.
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


def open_image(path: str) -> Image.Image:
    """Open a file of any kind that is read here; close the image, or use it in a `with`.

    Raises:
        InputError: The file has several pages or frames, or is DICOM and pydicom is not there.
        OSError, ValueError, SyntaxError, DecompressionBombError: It is no image, or a broken one;
            ``UNREADABLE`` has them all.
    """
    if is_dicom(path):
        return read_dicom(path)
    image = Image.open(path)
    # The second image in a JPEG of a phone is a preview.
    if image.format == 'TIFF' and getattr(image, 'n_frames', 1) > 1:
        count = image.n_frames  # type: ignore[attr-defined]
        image.close()
        raise InputError(several_images(path, count))
    return image


def is_readable(path: str) -> bool:
    """Whether the file's header is that of an image.

    Raises:
        InputError: It has several pages or frames, or is DICOM and pydicom is not there.
    """
    try:
        if is_dicom(path):
            read_header(path)
        else:
            open_image(path).close()
    except InputError:
        raise
    except UNREADABLE:
        return False
    return True


def check_readable(paths: Sequence[str]) -> None:
    """Raise an InputError that names the images that cannot be read."""
    with ThreadPoolExecutor() as pool:
        readable = list(pool.map(is_readable, paths))
    broken = [path for path, good in zip(paths, readable) if not good]
    if broken:
        raise InputError(
            f'{len(broken)} of {len(paths)} files cannot be read as images: '
            f'{", ".join(broken[:5])}{", ..." if len(broken) > 5 else ""}; remove or convert them'
        )
