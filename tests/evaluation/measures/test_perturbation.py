import numpy as np
import pytest
import torchvision.transforms.functional as torchvision
from PIL import Image

from mmproto.evaluation.measures.perturbation import (
    blend,
    distorted,
    perturbations,
    relative_drop,
    turned_hue,
)
from tests.evaluation.measures.golden import golden_metrics


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


@pytest.fixture
def activation():
    activation = np.zeros((40, 60), np.float32)
    activation[10:20, 20:45] = 0.5
    return activation


def test_drops_are_those_of_cabrnet():
    golden = golden_metrics('cabrnet')
    _, _, kind, before, inside, outside, _, _ = golden['perturbation_rows'].astype(float).T
    drops = np.stack([relative_drop(before, inside), relative_drop(before, outside)], axis=1)
    means = [drops[kind == number].mean(axis=0) for number in range(9)]
    np.testing.assert_allclose(means, golden['perturbation_values'], atol=1e-6)


def test_drops_known_by_hand():
    drops = relative_drop(np.array([4, 4, 4, 4, -2, 0]), np.array([4, 1, 0, 6, -3, 1]))
    np.testing.assert_array_equal(drops, [0, 0.75, 1, -0.5, 0.5, np.nan])


def test_perturbations_are_named_as_cabrnet_names_them(image, activation):
    names = golden_metrics('cabrnet')['perturbation_names'].tolist()
    perturbed = perturbations(image, activation)
    assert list(perturbed) == names
    for one in perturbed.values():
        assert one.shape == image.shape
        assert one.dtype == np.uint8


@pytest.mark.parametrize(
    ('name', 'perturb'),
    [
        ('brightness', lambda picture: torchvision.adjust_brightness(picture, 0.3)),
        ('contrast_1', lambda picture: torchvision.adjust_contrast(picture, 0.1)),
        ('contrast_2', lambda picture: torchvision.adjust_contrast(picture, 0.2)),
        ('contrast_3', lambda picture: torchvision.adjust_contrast(picture, 0.3)),
        ('saturation', lambda picture: torchvision.adjust_saturation(picture, 0.3)),
        ('hue', lambda picture: torchvision.adjust_hue(picture, 0.2)),
        (
            'complex_perturbation',
            lambda picture: torchvision.adjust_contrast(
                torchvision.adjust_brightness(picture, 0.3), 0.2
            ),
        ),
    ],
)
def test_colours_are_perturbed_as_torchvision_does(name, perturb, image, activation):
    expected = np.asarray(perturb(Image.fromarray(image)))
    np.testing.assert_array_equal(perturbations(image, activation)[name], expected)


def test_the_blur_is_that_of_torchvision_but_for_rounding(image, activation):
    expected = np.asarray(torchvision.gaussian_blur(Image.fromarray(image), 21, 2.0))
    difference = perturbations(image, activation)['blur'].astype(int) - expected
    assert np.abs(difference).max() <= 1
    assert np.mean(difference != 0) < 0.01


def test_red_turns_to_green_at_a_fifth_of_the_circle():
    red = np.full((1, 1, 3), [255, 0, 0], np.uint8)
    assert turned_hue(red)[0, 0].tolist() == pytest.approx([255 * (2 - 6 * 0.2), 255, 0], abs=2)
    grey = np.full((1, 1, 3), 90, np.uint8)
    np.testing.assert_array_equal(turned_hue(grey), grey)


def test_waves_by_plain_loops(image, activation):
    def shift(place):
        return int(7 * np.sin(2 * np.pi * place * 5 / 25))  # the box is 25 pixels wide, 10 high

    expected = image.copy()
    for row in range(40):
        expected[row] = np.roll(expected[row], shift(row), axis=0)
    for column in range(60):
        expected[:, column] = np.roll(expected[:, column], shift(column), axis=0)
    np.testing.assert_array_equal(distorted(image, activation), expected)
    assert (expected != image).any()


def test_waves_of_a_map_that_marks_nothing_go_through_the_image(image):
    nothing, everything = np.zeros((40, 60)), np.ones((40, 60))
    np.testing.assert_array_equal(distorted(image, nothing), distorted(image, everything))


def test_an_image_is_perturbed_by_the_share_of_each_pixel():
    image, perturbed = np.full((1, 3, 3), 200, np.uint8), np.full((1, 3, 3), 101, np.uint8)
    share = np.array([[0, 0.25, 1]], np.float32)
    assert blend(perturbed, image, share)[0, :, 0].tolist() == [200, 175, 101]
    assert blend(perturbed, image, 1 - share)[0, :, 0].tolist() == [101, 126, 200]
