import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmcv.transforms import CenterCrop, Compose, LoadImageFromFile, Pad, Resize
from mmpretrain.datasets.transforms import PackInputs, ResizeEdge

from mmproto.datasets.geometry import Geometry, follow
from mmproto.datasets.transforms import CropToBox
from mmproto.errors import InputError

SIDES = st.integers(20, 90)


def coordinates(height, width):
    """A image whose first channel is the row and whose second is the column of each pixel."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, 0 * rows], axis=-1).astype(np.uint8)


def info_of(image, **more):
    size = image.shape[:2]
    return dict(img=image, img_shape=size, ori_shape=size, **more)


def check_every_pixel(pipeline, info):
    """The box of each input pixel holds the original pixel that it shows."""
    packed, original, geometry = follow(Compose(pipeline), info)
    pixels = packed['inputs'].numpy()
    assert pixels.shape[1:] == geometry.input_size
    assert original.shape[:2] == geometry.size
    for y in range(0, pixels.shape[1], 7):
        for x in range(0, pixels.shape[2], 7):
            top, bottom, left, right = geometry.to_original((y, y + 1, x, x + 1))
            row, column = pixels[0, y, x], pixels[1, y, x]
            first = [
                start + step * at for start, step, at in zip(geometry.start, geometry.step, (y, x))
            ]
            for begin, known, end, exact in (
                (top, row, bottom, first[0]),
                (left, column, right, first[1]),
            ):
                # where pixels begin together OpenCV may round to the one before
                slack = abs(exact - round(exact)) < 1e-6
                assert begin - slack <= known < end, (y, x)
    return geometry


@given(SIDES, SIDES, SIDES, SIDES)
def test_resize_and_center_crop(height, width, new_height, new_width):
    pipeline = [
        LoadImageFromFile(),
        Resize(scale=(new_width, new_height), interpolation='nearest'),
        CenterCrop((new_width // 2, new_height // 2)),
        PackInputs(),
    ]
    check_every_pixel(pipeline, info_of(coordinates(height, width)))


@given(SIDES, SIDES, st.data())
def test_crop_to_box_and_resize_of_the_shorter_edge(height, width, data):
    left, top = data.draw(st.integers(0, width - 10)), data.draw(st.integers(0, height - 10))
    right, bottom = data.draw(st.integers(left + 9, width)), data.draw(st.integers(top + 9, height))
    pipeline = [
        LoadImageFromFile(),
        CropToBox(),
        ResizeEdge(scale=32, edge='short', interpolation='nearest'),
        PackInputs(),
    ]
    box = np.array([left, top, right, bottom], float)
    geometry = check_every_pixel(pipeline, info_of(coordinates(height, width), bbox=box))
    assert geometry.input_box == (top, bottom, left, right)


def test_padding_moves_no_pixel_and_is_no_part_of_the_image():
    pipeline = [LoadImageFromFile(), Pad(size=(64, 64)), PackInputs()]
    packed, _, geometry = follow(Compose(pipeline), info_of(coordinates(30, 50)))
    assert packed['inputs'].shape[1:] == geometry.input_size == (64, 64)
    assert geometry.to_original((10, 20, 40, 64)) == (10, 20, 40, 50)
    assert geometry.input_box == (0, 30, 0, 50)


def test_a_image_file_is_loaded(tmp_path):
    import cv2

    image = coordinates(40, 60)
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    pipeline = Compose([LoadImageFromFile(), Resize(scale=(30, 20)), PackInputs()])
    packed, original, geometry = follow(pipeline, dict(img_path=str(tmp_path / 'a.png')))
    assert (original == image).all()
    assert packed['inputs'].shape == (3, 20, 30)
    assert geometry == Geometry((40, 60), (20, 30), (2.0, 2.0))


def test_a_transform_that_moves_pixels_in_an_unknown_way_is_named():
    from mmpretrain.datasets.transforms import EfficientNetCenterCrop

    pipeline = Compose([LoadImageFromFile(), EfficientNetCenterCrop(16), PackInputs()])
    with pytest.raises(InputError, match='pipeline has EfficientNetCenterCrop'):
        follow(pipeline, info_of(coordinates(40, 60)))
