"""Cropping to the box against PIL's crop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmpretrain.registry import TRANSFORMS
from PIL import Image

from mmproto.datasets.transforms import CropToBox
from mmproto.errors import InputError

IMAGE = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)


def crop(bbox, **more):
    return CropToBox()(dict(img=IMAGE, bbox=np.array(bbox), img_path='a/bird.jpg', **more))


@settings(deadline=None)
@given(x=st.floats(0, 51), y=st.floats(0, 35), w=st.floats(1, 52), h=st.floats(1, 36))
def test_same_pixels_as_pil(x, y, w, h):
    w, h = min(w, 53 - x), min(h, 37 - y)
    expected = Image.fromarray(IMAGE).crop((int(x), int(y), int(x + w), int(y + h)))
    results = crop([x, y, x + w, y + h])
    np.testing.assert_array_equal(results['img'], np.array(expected))
    assert results['img_shape'] == expected.size[::-1]


def test_a_pixel_leads_back_to_the_original():
    results = crop([5.7, 6.2, 20.9, 30.1])
    x1, y1, x2, y2 = results['crop_box']
    assert (x1, y1, x2, y2) == (5, 6, 20, 30)
    np.testing.assert_array_equal(results['img'][3, 4], IMAGE[3 + y1, 4 + x1])
    assert results['img_shape'] == (y2 - y1, x2 - x1)


def test_parts_move_along_and_the_given_array_stays():
    parts = np.array([[10.5, 12.0, 1.0], [0.0, 0.0, 0.0]])
    results = crop([5.7, 6.2, 20.9, 30.1], parts=parts)
    np.testing.assert_array_equal(results['parts'], [[5.5, 6, 1], [-5, -6, 0]])
    assert parts[0, 0] == 10.5


def test_a_data_set_without_boxes():
    with pytest.raises(InputError, match="the data set gives no 'bbox': use AnnotatedCUB"):
        CropToBox()(dict(img=IMAGE, img_path='a/bird.jpg', sample_idx=0))


@pytest.mark.parametrize(
    'bbox', [[5, 5, 5.9, 9], [-1, 0, 9, 9], [0, 0, 54, 9], [0, 0, 9, 38], [9, 9, 5, 20]]
)
def test_an_impossible_box_names_the_image(bbox):
    with pytest.raises(InputError, match=r'53x37 pixels: a/bird\.jpg'):
        crop(bbox)


def test_registered():
    assert isinstance(TRANSFORMS.build(dict(type='CropToBox')), CropToBox)


@pytest.mark.parametrize('more', [{}, dict(img_path='a/bird.jpg')])
def test_a_single_image_is_taken_as_it_is(more):
    assert CropToBox()(dict(img=IMAGE, **more))['img'] is IMAGE
