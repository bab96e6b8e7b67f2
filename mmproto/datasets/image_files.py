"""The files of images: which are seen, and whether they can be read."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from mmproto.datasets.checks import UNREADABLE
from mmproto.errors import InputError

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.ppm', '.pgm', '.bmp', '.tif', '.tiff', '.webp')


def is_readable(path: str) -> bool:
    """Whether Pillow knows the file by its header."""
    try:
        with Image.open(path):
            return True
    except UNREADABLE:
        return False


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
