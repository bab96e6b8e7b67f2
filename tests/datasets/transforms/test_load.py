"""Every kind of image against what Pillow and LoadImageFromFile make of it."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mmcv.transforms import LoadImageFromFile
from mmpretrain.registry import TRANSFORMS
from PIL import Image

from mmproto.datasets.grey_levels import to_8_bits
from mmproto.datasets.transforms import LoadPicture
from mmproto.errors import InputError

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (7, 11, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 4096, (7, 11))
DEEP[0, :2] = 0, 4095


def load(path):
    results = LoadPicture()(dict(img_path=str(path)))
    assert results['img'].dtype == np.uint8
    assert results['img'].flags.c_contiguous
    assert results['img_shape'] == results['ori_shape'] == results['img'].shape[:2]
    return results['img']


def saved(tmp_path, image, name='p.png', **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


@pytest.mark.parametrize('name', ['p.png', 'p.bmp', 'p.tif', 'p.ppm'])
def test_a_photograph_is_what_mmcv_loads(tmp_path, name):
    path = saved(tmp_path, Image.fromarray(RGB), name)
    expected = LoadImageFromFile()(dict(img_path=str(path)))
    results = LoadPicture()(dict(img_path=str(path)))
    np.testing.assert_array_equal(results['img'], expected['img'])
    assert {k: v for k, v in results.items() if k != 'img'} == {
        k: v for k, v in expected.items() if k != 'img'
    }


@pytest.mark.parametrize('mode', ['1', 'L', 'P', 'CMYK', 'YCbCr'])
def test_other_modes_are_what_pillow_converts(tmp_path, mode):
    image = Image.fromarray(RGB).convert(mode)
    path = saved(tmp_path, image, 'p.tif' if mode in ('CMYK', 'YCbCr') else 'p.png')
    np.testing.assert_array_equal(load(path)[..., ::-1], np.array(image.convert('RGB')))


@pytest.mark.parametrize('top', [1, 255, 4095, 65535])
@pytest.mark.parametrize('name', ['p.png', 'p.tif'])
def test_sixteen_bits_are_stretched_to_eight(tmp_path, name, top):
    deep = DEEP * top // 4095
    path = saved(tmp_path, Image.fromarray(deep.astype(np.uint16)), name)
    loaded = load(path)
    for channel in range(3):
        np.testing.assert_allclose(loaded[..., channel], deep / top * 255, atol=0.5)
    assert (loaded.min(), loaded.max()) == (0, 255)


@pytest.mark.parametrize('kind', [np.int32, np.float32, '>u2'])
def test_tiffs_of_other_numbers(tmp_path, kind):
    path = saved(tmp_path, Image.fromarray((DEEP + 1000).astype(kind)), 'p.tif')
    np.testing.assert_allclose(load(path)[..., 0], DEEP / 4095 * 255, atol=0.5)


DEEP_RGB = RNG.integers(100, 4000, (7, 11, 3), dtype=np.uint16)
DEEP_RGB[0, 0] = 0, 2000, 4095


@pytest.mark.parametrize('name', ['p.png', 'p.tif'])
def test_sixteen_bit_colours_are_stretched_by_one_range(tmp_path, name):
    cv2.imwrite(str(tmp_path / name), DEEP_RGB[..., ::-1])
    np.testing.assert_allclose(load(tmp_path / name)[..., ::-1], DEEP_RGB / 4095 * 255, atol=0.5)


def test_sixteen_bit_colours_are_white_where_transparent(tmp_path):
    alpha = np.full((7, 11, 1), 65535, np.uint16)
    alpha[1] = 0
    cv2.imwrite(str(tmp_path / 'p.png'), np.dstack([DEEP_RGB[..., ::-1], alpha]))
    loaded = load(tmp_path / 'p.png')[..., ::-1]
    assert (loaded[1] == 255).all()
    np.testing.assert_allclose(loaded[2:], DEEP_RGB[2:] / 4095 * 255, atol=0.5)


def test_exif_turns_sixteen_bit_colours(tmp_path):
    path = tmp_path / 'p.png'
    cv2.imwrite(str(path), DEEP_RGB[..., ::-1])
    upright, content = load(path), path.read_bytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    chunk = b'eXIf' + exif.tobytes()[6:]
    parts = struct.pack('>I', len(chunk) - 4), chunk, struct.pack('>I', zlib.crc32(chunk))
    path.write_bytes(content[:33] + b''.join(parts) + content[33:])  # behind the header
    np.testing.assert_array_equal(load(path), np.rot90(upright, -1))


@pytest.mark.parametrize('name', ['p.png', 'p.tif'])
def test_a_truncated_file_of_sixteen_bit_colours_is_named(tmp_path, name):
    path = tmp_path / name
    cv2.imwrite(str(path), RNG.integers(0, 4096, (80, 90, 3), dtype=np.uint16))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=rf'{name} cannot be read as an image \('):
        load(path)


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.int32, np.uint16]),
        hnp.array_shapes(min_dims=2, max_dims=2),
    )
)
def test_stretching_keeps_the_order_and_takes_any_number(values):
    eight = to_8_bits(values)
    assert eight.dtype == np.uint8
    finite = values[np.isfinite(values)]
    order = np.argsort(finite, kind='stable')
    assert (np.diff(eight[np.isfinite(values)][order].astype(int)) >= 0).all()
    if len(finite) and finite.min() < finite.max():
        assert (eight.min(), eight.max()) == (0, 255)
    else:
        assert (eight == 0).all()


def test_transparent_is_white(tmp_path):
    alpha = np.full((7, 11), 255, np.uint8)
    alpha[0], alpha[1] = 0, 128
    image = Image.fromarray(np.dstack([RGB, alpha]))
    loaded = load(saved(tmp_path, image))[..., ::-1].astype(int)
    np.testing.assert_array_equal(loaded[0], 255)
    np.testing.assert_allclose(loaded[1], RGB[1] * (128 / 255) + 127, atol=1)
    np.testing.assert_array_equal(loaded[2:], RGB[2:])
    grey = Image.fromarray(np.dstack([RGB[..., 0], alpha]))
    assert (load(saved(tmp_path, grey))[0] == 255).all()


def test_a_palette_with_a_transparent_colour(tmp_path):
    image = Image.new('P', (4, 3), 1)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((2, 1), 0)
    loaded = load(saved(tmp_path, image, transparency=0))
    assert loaded[1, 2].tolist() == [255, 255, 255]
    assert loaded[0, 0].tolist() == [60, 50, 40]


def test_exif_turns_the_image(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    path = saved(tmp_path, Image.fromarray(RGB), exif=exif)
    np.testing.assert_array_equal(load(path)[..., ::-1], np.rot90(RGB, -1))


def test_a_tiff_of_several_pages_is_refused(tmp_path):
    pages = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    path = saved(tmp_path, pages[0], 'p.tif', save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match=r'p\.tif holds 2 images \(frames or pages\)'):
        load(path)


def test_a_jpeg_with_a_preview_is_one_image(tmp_path):
    big, preview = Image.new('RGB', (40, 30), 'red'), Image.new('RGB', (8, 6), 'blue')
    path = saved(tmp_path, big, 'p.jpg', format='MPO', save_all=True, append_images=[preview])
    with Image.open(path) as image:
        assert (image.format, image.n_frames) == ('MPO', 2)
    assert load(path).shape == (30, 40, 3)


@pytest.mark.parametrize('mode', ['L', 'RGB', 'I;16'])
def test_one_channel_for_a_network_that_takes_one(tmp_path, mode):
    grey = RGB[..., 1].copy()
    grey[0, :2] = 0, 255
    values = dict(L=grey, RGB=np.dstack([grey] * 3))
    values['I;16'] = grey.astype(np.uint16) * 257
    path = saved(tmp_path, Image.fromarray(values[mode]))
    results = LoadPicture(color_type='grayscale')(dict(img_path=str(path)))
    np.testing.assert_array_equal(results['img'], grey)
    with pytest.raises(InputError, match="color_type='grey': give one of color, grayscale"):
        LoadPicture(color_type='grey')


@pytest.mark.parametrize('name', ['p.png', 'p.jpg', 'p.tif', 'p.bmp', 'p.webp'])
@pytest.mark.parametrize('share', [0, 0.02, 0.6])
def test_a_truncated_file_is_named(tmp_path, name, share):
    noise = Image.fromarray(RNG.integers(0, 256, (80, 90, 3), dtype=np.uint8))
    path = saved(tmp_path, noise, name)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=rf'{name} cannot be read as an image \('):
        load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r'no\.png cannot be read'):
        load(tmp_path / 'no.png')


def test_a_single_image_is_taken_as_it_is():
    assert LoadPicture()(dict(img=RGB))['img'] is RGB


def test_registered():
    assert isinstance(TRANSFORMS.build(dict(type='LoadPicture')), LoadPicture)
