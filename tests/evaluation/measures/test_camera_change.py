import colorsys

import numpy as np

from mmproto.evaluation.measures.camera_change import another_camera


def change(colour):
    image = np.full((16, 16, 3), colour, np.uint8)
    return another_camera(image, np.random.default_rng(0)).mean(axis=(0, 1))


def test_a_colour_becomes_brighter_and_turns():
    before = colorsys.rgb_to_hsv(*(np.array([150, 60, 40]) / 255))
    hue, saturation, value = colorsys.rgb_to_hsv(*(change([150, 60, 40]) / 255))
    assert abs(hue - before[0] - 0.05) < 0.01
    assert saturation > before[1]
    assert 1.1 < value / before[2] < 1.3  # saturation makes the strongest channel stronger


def test_grey_stays_grey_and_shapes_stay():
    image = np.full((12, 20), 100, np.uint8)
    changed = another_camera(image, np.random.default_rng(0))
    assert changed.shape == (12, 20)
    assert changed.dtype == np.uint8
    assert abs(changed.mean() - 112.5) < 2
    assert np.ptp(change([100, 100, 100])) < 3


def test_edges_blur():
    image = np.zeros((16, 16, 3), np.uint8)
    image[:, 8:] = 200
    step = np.diff(another_camera(image, np.random.default_rng(0))[8, :, 0].astype(int))
    assert step.max() < 120


def test_the_noise_is_that_of_the_generator():
    image = np.full((8, 8, 3), 90, np.uint8)
    one, same, other = (another_camera(image, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
