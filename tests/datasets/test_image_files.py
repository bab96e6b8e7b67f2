"""Files that are called images, whoever has written them."""

import os
import shutil
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from mmproto.datasets.boxes import image_size
from mmproto.datasets.image_files import check_readable, check_whole, open_image
from mmproto.datasets.transforms import LoadPicture
from mmproto.errors import InputError
from tests.dicom_files import write_dicom

GHOSTSCRIPT = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 9 9
(MARK) (w) file closefile
showpage
%%EOF
"""
COLOURS = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8))


def load(path):
    return LoadPicture()(dict(img_path=str(path)))['img']


def whole(path):
    check_readable([str(path)])
    assert check_whole(str(path)) == image_size(str(path), 'line 1')
    return load(path)


def test_postscript_is_not_run_whatever_it_is_called(tmp_path):
    mark, file = tmp_path / 'ran', tmp_path / 'x.jpg'
    file.write_bytes(GHOSTSCRIPT.replace(b'MARK', str(mark).encode()))
    if shutil.which('gs'):  # Pillow itself would run it
        Image.open(file).load()
        assert mark.exists()
        mark.unlink()
    for read in (open_image, check_whole, whole, load):
        with pytest.raises((InputError, OSError)):
            read(str(file))
    assert not mark.exists()


@pytest.mark.parametrize('make', [os.mkfifo, os.mkdir, lambda path: os.symlink('/dev/zero', path)])
def test_what_is_no_file_is_not_waited_for(tmp_path, make):
    make(tmp_path / 'x.jpg')
    for read in (open_image, check_whole, whole, load):
        with pytest.raises(InputError, match=r'x\.jpg is no file but a folder, a pipe or a dev'):
            read(str(tmp_path / 'x.jpg'))


SAVED = {'jpg': {}, 'png': {}, 'webp': dict(lossless=True), 'tif': dict(compression='tiff_lzw'),
         'bmp': {}, 'ppm': {}, 'gif': {}, 'jp2': {}}  # fmt: skip


@pytest.mark.parametrize('suffix', SAVED)
def test_a_file_that_is_cut_off_is_found_and_a_whole_one_is_not(tmp_path, suffix):
    file = tmp_path / f'x.{suffix}'
    COLOURS.save(file, **SAVED[suffix])
    data = file.read_bytes()
    assert whole(file).shape == (40, 30, 3)
    for share in (0, 0.1, 0.5, 0.9):
        file.write_bytes(data[: int(share * len(data))])
        with pytest.raises(InputError, match='1 of 1 files cannot be read'):
            check_readable([str(file)])
        with pytest.raises(InputError, match=r'line 1: .* is no image, or a damaged one'):
            image_size(str(file), 'line 1')


def test_something_behind_the_end_does_no_harm(tmp_path):
    for suffix in ('jpg', 'png'):
        COLOURS.save(tmp_path / f'x.{suffix}')
        with open(tmp_path / f'x.{suffix}', 'ab') as file:
            file.write(b'\0' * 100 + b'left by a camera')
        assert whole(tmp_path / f'x.{suffix}').shape == (40, 30, 3)


@pytest.mark.parametrize('syntax', ['plain', 'deflated'])
def test_a_dicom_file_that_is_cut_off_or_deflated_is_found(tmp_path, syntax):
    pydicom = pytest.importorskip('pydicom')
    path = tmp_path / 'x.dcm'
    write_dicom(path, np.arange(1200, dtype=np.uint16).reshape(40, 30))
    assert check_whole(str(path)) == (30, 40)
    if syntax == 'plain':
        path.write_bytes(path.read_bytes()[:-100])
    else:
        data = pydicom.dcmread(path)
        data.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
        data.save_as(path)
    with pytest.raises(InputError, match=r'files cannot be read|is deflated as a whole'):
        check_readable([str(path)])


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    def chunk(kind, data):
        return (
            struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
        )

    header = struct.pack('>IIBBBBB', 60_000, 60_000, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(10**6))
    (tmp_path / 'bomb.png').write_bytes(
        b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', rows) + chunk(b'IEND', b'')
    )
    with pytest.raises(InputError, match=r'60000 x 60000 pixels.*MMPROTO_MAX_PIXELS'):
        load(tmp_path / 'bomb.png')
    COLOURS.save(tmp_path / 'x.png')
    monkeypatch.setenv('MMPROTO_MAX_PIXELS', '1199')
    with pytest.raises(InputError, match='30 x 40 pixels, more than 1,199'):
        whole(tmp_path / 'x.png')
    monkeypatch.setenv('MMPROTO_MAX_PIXELS', '1200')
    assert whole(tmp_path / 'x.png').shape == (40, 30, 3)
    monkeypatch.setenv('MMPROTO_MAX_PIXELS', '120')
    with pytest.raises(InputError, match='bytes, more than the 960 that are read'):
        whole(tmp_path / 'x.png')
    monkeypatch.setenv('MMPROTO_MAX_PIXELS', 'many')
    with pytest.raises(InputError, match='MMPROTO_MAX_PIXELS=many: give a number'):
        whole(tmp_path / 'x.png')


def test_what_a_file_carries_beside_its_pixels_does_no_harm(tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add_text('x', 'y' * 2**21, zip=True)  # more than Pillow reads of a text
    COLOURS.save(tmp_path / 'text.png', pnginfo=text)
    with pytest.raises(InputError, match='cannot be read'):
        whole(tmp_path / 'text.png')
    for exif in (b'Exif\0\0', b'Exif\0\0MM\0*\0\0\0\x08\xff\xff', b'Exif\0\0' + bytes(range(256))):
        COLOURS.save(tmp_path / 'x.jpg', exif=exif)
        assert whole(tmp_path / 'x.jpg').shape == (40, 30, 3)


@pytest.mark.parametrize('suffix', ['gif', 'webp'])
def test_an_animation_is_its_first_frame(tmp_path, suffix):
    frames = [Image.new('RGB', (30, 40), colour) for colour in ('red', 'lime', 'blue')]
    frames[0].save(tmp_path / f'x.{suffix}', save_all=True, append_images=frames[1:])
    assert np.abs(whole(tmp_path / f'x.{suffix}').reshape(-1, 3) - (0.0, 0, 255)).max() < 8


@pytest.mark.parametrize('kind', ['jpg', 'png', 'tif', 'webp', 'gif', 'bmp'])
def test_a_damaged_picture_is_read_or_named(tmp_path, kind):
    """Some bytes of each are others: it is an image all the same, or one line says what is not."""
    rng = np.random.default_rng(0)
    file = tmp_path / f'x.{kind}'
    COLOURS.save(file)
    data = np.frombuffer(file.read_bytes(), np.uint8)
    read = named = 0
    for _ in range(150):
        odd = data.copy()
        odd[rng.integers(0, min(len(odd), 400), 3)] = rng.integers(0, 256, 3)
        file.write_bytes(odd.tobytes())
        try:
            read += whole(file).ndim == 3
        except InputError as error:
            named += str(error).count(str(file))
    assert read + named >= 150
    assert named
