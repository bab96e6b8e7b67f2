import cv2
import numpy as np
import pytest
import torch

from mmproto.analysis.patch_pixels import contrast, grey_copy, pixels, unlike_images_with
from mmproto.functional import Box

CORNER = Box(90, 128, 0, 50)


def scene(seed, stamped=False, shift=0):
    """Blurred noise, as unlike any other as images are; with a stamp or without."""
    noise = np.random.default_rng(seed).integers(0, 256, (128, 128)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 6)
    smooth = cv2.normalize(smooth, np.empty_like(smooth), 40, 180, cv2.NORM_MINMAX)
    image = (smooth + 0.1 * (noise - 128)).clip(0, 255).astype(np.uint8)
    if stamped:
        cv2.putText(image, 'L 407', (4 + shift, 112), 0, 0.45, 255, 1)
    return image


@pytest.mark.parametrize('shift', [0, 3])
def test_a_stamp_on_unlike_images_is_found(shift):
    others = [scene(seed, stamped=seed < 4, shift=shift) for seed in range(1, 6)]
    assert unlike_images_with(scene(0, stamped=True), CORNER, others) == (3, 5)
    assert unlike_images_with(scene(0), CORNER, others) == (0, 5)


@pytest.mark.parametrize(('shift', 'found'), [(0, 3), (3, 0)])
def test_off_the_edge_a_stamp_is_at_the_same_pixels(shift, found):
    others = [np.roll(scene(seed, seed < 4, shift), -40, axis=0) for seed in range(1, 6)]
    stamped = np.roll(scene(0, stamped=True), -40, axis=0)
    assert unlike_images_with(stamped, Box(52, 80, 3, 50), others) == (found, 5)


def test_images_that_are_alike_say_nothing():
    brighter = scene(0, stamped=True) + 10
    assert unlike_images_with(scene(0, stamped=True), CORNER, [brighter]) == (0, 0)


def test_a_patch_without_detail_is_not_compared():
    blank = scene(0)
    blank[CORNER.top : CORNER.bottom, CORNER.left : CORNER.right] = 255
    assert contrast(blank, CORNER) == 0 < contrast(blank)
    assert unlike_images_with(blank, CORNER, [scene(1), scene(2)]) == (0, 0)
    flat = np.full((128, 128), 7, np.uint8)
    assert unlike_images_with(scene(0, stamped=True), CORNER, [flat]) == (0, 1)


@pytest.mark.parametrize(('shape', 'small'), [((3, 256, 128), (128, 64)), ((1, 16, 20), (16, 20))])
def test_copies_are_small_and_grey(shape, small):
    copy = grey_copy(torch.full(shape, 9, dtype=torch.uint8))
    assert (copy.shape, copy.dtype) == (small, np.uint8)
    assert (copy == 9).all()


def test_boxes_in_pixels_have_an_area():
    grey = np.zeros((128, 64), np.uint8)
    assert pixels(grey, (0.5, 0.75, 0.0, 1.0)) == (64, 96, 0, 64)
    assert pixels(grey, (0.999, 1.0, 0.999, 1.0)) == (126, 128, 62, 64)
