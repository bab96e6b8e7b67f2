"""The files of images: which are seen, and how they are opened."""

import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from os import SEEK_END
from os.path import getsize, splitext
from typing import Any

from mmengine.logging import print_log
from PIL import Image

from mmproto.datasets.dicom import (
    DICOM_EXTENSIONS,
    check_whole_dicom,
    is_dicom,
    read_dicom,
    several_images,
)
from mmproto.datasets.image_limits import check_image_bytes, check_image_size
from mmproto.errors import InputError

EXTENSIONS = (
    *('.jpg', '.jpeg', '.png', '.ppm', '.pgm', '.bmp', '.tif', '.tiff', '.webp'),
    *DICOM_EXTENSIONS,
)
# Images that are not read, of which a class folder may be full: of phones and the web, ...
NOT_READ = (
    *('.heic', '.heif', '.hif', '.avif', '.jxl', '.gif', '.jfif', '.jp2', '.j2k', '.jpx', '.svg'),
    # ... of programs to draw with, and for renderers and games, ...
    *(
        '.psd',
        '.psb',
        '.xcf',
        '.kra',
        '.ai',
        '.eps',
        '.ico',
        '.tga',
        '.pcx',
        '.dds',
        '.exr',
        '.hdr',
    ),
    # ... raw ones of cameras, and of microscopes and scanners.
    *(
        '.dng',
        '.cr2',
        '.cr3',
        '.crw',
        '.nef',
        '.nrw',
        '.arw',
        '.orf',
        '.rw2',
        '.raf',
        '.pef',
        '.srw',
    ),
    *('.svs', '.ndpi', '.mrxs', '.czi', '.nd2', '.lif', '.nii', '.mha', '.nrrd'),
)
# Whatever a file is called, no others are decoded: for PostScript, Pillow would run Ghostscript.
FORMATS = ('JPEG', 'PNG', 'PPM', 'BMP', 'GIF', 'TIFF', 'WEBP', 'JPEG2000')
# Pillow's readers raise nearly anything for a file that is no image, broken or truncated.
UNREADABLE = Exception
# How files of a format end that nobody has cut off.
ENDS = {'JPEG': b'\xff\xd9', 'MPO': b'\xff\xd9', 'PNG': b'IEND\xaeB`\x82', 'GIF': b'\0;'}
STRIPS, TILES = (273, 279), (324, 325)  # a TIFF's tags of where its data is, and how long

Image.MAX_IMAGE_PIXELS = None  # open_image has a limit that a setting raises


def open_image(path: str) -> Image.Image:
    """Open a file of any kind that is read here; close the image, or use it in a `with`.

    Raises:
        InputError: It is no file or too large, it has several pages or frames, or is DICOM and
            pydicom is not there.
        Exception: It is no image, or a broken one.
    """
    check_image_bytes(path)
    if is_dicom(path):
        return read_dicom(path)
    image = Image.open(path, formats=FORMATS)
    try:
        check_image_size(path, *image.size)
        # The second image in a JPEG of a phone is a preview.
        if image.format == 'TIFF' and getattr(image, 'n_frames', 1) > 1:
            raise InputError(several_images(path, image.n_frames))  # type: ignore[attr-defined]
    except Exception:
        image.close()
        raise
    return image


def check_whole(path: str) -> tuple[int, int]:
    """Check an image file from its two ends; it is decoded only if that leaves a doubt.

    Returns:
        Width and height of the image.

    Raises:
        InputError: As :func:`open_image`.
        Exception: It is no image, or a truncated or broken one.
    """
    if is_dicom(path):
        check_image_bytes(path)
        return check_whole_dicom(path)
    with open_image(path) as image:
        if not _ends_well(path, image):
            image.load()
        return image.size


def _ends_well(path: str, image: Any) -> bool:
    """Whether the end of a file is there. Text behind it, which some cameras leave, is no end."""
    if image.format == 'TIFF':
        tags = STRIPS if STRIPS[0] in image.tag_v2 else TILES
        starts, lengths = (image.tag_v2.get(tag, ()) for tag in tags)
        ends = [start + length for start, length in zip(starts, lengths)]
        return bool(ends) and max(ends) <= getsize(path)
    end = ENDS.get(image.format)
    if end is None:
        return False
    with open(path, 'rb') as file:
        file.seek(-len(end), SEEK_END)
        return file.read() == end


def is_readable(path: str) -> bool:
    """Whether a file is an image, and whole; see :func:`check_whole`.

    Raises:
        InputError: It is no file or too large, it has several pages or frames, or is DICOM and
            pydicom is not there.
    """
    try:
        check_whole(path)
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


def not_read(paths: Sequence[str]) -> list[str]:
    """Return those files that are images by their names, of formats that are not read."""
    return [path for path in paths if path.lower().endswith(NOT_READ)]


def kinds(paths: Sequence[str]) -> str:
    """Count the endings of files, the most frequent first: '12 .heic, 1 .svg'."""
    counts = Counter(splitext(path)[1].lower() for path in sorted(paths))
    return ', '.join(f'{count} {ending}' for ending, count in counts.most_common())


def warn_of_left_out(folder: str, paths: Sequence[str]) -> None:
    """Warn of images in a folder that are not read, if there are any; a logger says it once."""
    if paths:
        print_log(
            f'{folder}: {len(paths)} images are left out, as these formats are not read: '
            f'{kinds(paths)}. Convert them, such as to .png, to use them.',
            logger='current',
            level=logging.WARNING,
        )
