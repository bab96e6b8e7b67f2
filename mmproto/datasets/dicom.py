"""DICOM files as images of 8 bits, as a viewer shows them."""

from os import SEEK_END
from os.path import getsize
from typing import Any

import numpy as np
from PIL import Image

from mmproto.datasets.grey_levels import to_8_bits
from mmproto.datasets.image_limits import check_image_size
from mmproto.errors import InputError
from mmproto.utils.extras import need

DICOM_EXTENSIONS = ('.dcm', '.dicom')
PIXEL_HEADER = 8  # bytes before the pixels, at least
LAST_FRAGMENT = bytes.fromhex('feffdde000000000')  # of compressed pixels


def is_dicom(path: str) -> bool:
    """Whether a file's name says that it is one."""
    return path.lower().endswith(DICOM_EXTENSIONS)


def check_whole_dicom(path: str) -> tuple[int, int]:
    """Check a DICOM file by its header, and that no pixels are cut off its end.

    Returns:
        Width and height of the image.

    Raises:
        InputError: pydicom is not installed, or the file has several frames or too many pixels.
        OSError: The file is damaged, or has no image.
    """
    with open(path, 'rb') as file:
        header = _read(path, file, stop_before_pixels=True)
        left = getsize(path) - file.tell()
    if header.file_meta.TransferSyntaxUID.is_compressed:
        with open(path, 'rb') as file:
            file.seek(-len(LAST_FRAGMENT), SEEK_END)
            if file.read() != LAST_FRAGMENT:
                read_dicom(path)
    else:
        from pydicom.pixels.utils import get_expected_length

        if left < PIXEL_HEADER + get_expected_length(header):
            raise OSError('its pixels are cut off')
    return header.Columns, header.Rows


def read_dicom(path: str) -> Image.Image:
    """Return the image of a DICOM file: one channel ('L') or colours ('RGB') of 8 bits.

    Grey values are rescaled, then shown through the file's table or its first window; in a file
    that has neither, the least is black and the greatest white. MONOCHROME1, in which the least is
    white, is inverted. Palettes and YBR become RGB. See DICOM PS3.3, C.7.6.3 and C.11.

    Raises:
        InputError: pydicom is not installed, or the file has several frames.
        OSError: The file is damaged, has no image, or is compressed in a way that needs another
            package; the message says so.
    """
    header = _read(path, path)
    from pydicom.pixels import apply_color_lut

    try:
        values = header.pixel_array  # YBR as RGB
        if header.PhotometricInterpretation == 'PALETTE COLOR':
            values = apply_color_lut(values, header)
        image = _all_bits(values) if values.ndim == 3 else _grey(values, header)
    except Exception as error:  # whatever a decoder or a broken header raises
        raise OSError(f'{type(error).__name__}: {error}') from error
    return Image.fromarray(image)


def _read(path: str, source: Any, **options: Any) -> Any:
    need('dicom', 'pydicom')
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    try:
        syntax = read_file_meta_info(path).get('TransferSyntaxUID')
        if syntax == DeflatedExplicitVRLittleEndian:
            raise InputError(f'{path} is deflated as a whole, which is not read: save it otherwise')
        header = dcmread(source, **options)
        frames = int(header.get('NumberOfFrames') or 1)
        shape = header.get('Rows'), header.get('Columns')
    except (FileNotFoundError, InputError):
        raise
    except (InvalidDicomError, OSError, ValueError, TypeError, AttributeError) as error:
        raise OSError(f'no DICOM file, or a damaged one: {error}') from error
    if not all(shape):
        raise OSError('a DICOM file without an image')
    check_image_size(path, *shape)
    if frames > 1:
        raise InputError(several_images(path, frames))
    return header


def several_images(path: str, count: int) -> str:
    """Say that a file has several images where one is wanted."""
    return (
        f'{path} holds {count} images (frames or pages), and which one is meant nobody can tell: '
        'save each of those that count as a file of its own'
    )


def _all_bits(colours: np.ndarray) -> np.ndarray:
    """Colours by the whole range of their type, as they are stored."""
    return (colours >> 8 * (colours.itemsize - 1)).astype(np.uint8)


def _grey(stored: np.ndarray, header: Any) -> np.ndarray:
    from pydicom.pixels import apply_modality_lut, apply_voi, apply_windowing

    values = apply_modality_lut(stored, header)
    if header.get('VOILUTSequence'):
        entries = apply_voi(values.astype(np.int64), header)
        image = to_8_bits(entries, 0, 2 ** header.VOILUTSequence[0].LUTDescriptor[2] - 1)
    elif header.get('WindowCenter') is not None and header.get('WindowWidth') is not None:
        shown = apply_windowing(values, header)
        # What lies far below the window, and far above; the greater of them with a slope below 0.
        below, above = apply_windowing(np.array([-np.inf, np.inf]), header)
        image = to_8_bits((shown - below) / (above - below), 0, 1)
    else:
        image = to_8_bits(values)
    return 255 - image if header.PhotometricInterpretation == 'MONOCHROME1' else image
