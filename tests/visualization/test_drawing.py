import cv2
import numpy as np

from mmproto.visualization.drawing import heat_map, is_grey, outline

SIDE = 200


def ramp(channels_equal):
    """Stripes under a map that grows from left to right."""
    image = np.full((SIDE, SIDE, 3), 60, np.uint8)
    image[::4] = image[1::4] = 180
    if not channels_equal:
        image[..., 0] += 1
    return image, np.tile(np.linspace(0, 1, SIDE, dtype=np.float32), (SIDE, 1))


def test_a_grey_image_stays_where_the_map_is_low_and_is_read_everywhere():
    image, activation = ramp(channels_equal=True)
    drawn = heat_map(image, activation)
    assert is_grey(image)
    assert np.abs(drawn[:, :10].astype(int) - image[:, :10]).max() <= 10
    contrast = np.ptp(cv2.cvtColor(drawn, cv2.COLOR_BGR2LAB)[..., 0].astype(int), axis=0)
    assert np.percentile(contrast, 5) >= 0.4 * contrast[0]  # all but the thin lines
    saturation = cv2.cvtColor(drawn, cv2.COLOR_BGR2HSV)[..., 1]
    assert saturation[:, :10].mean() < 20 < 80 < saturation[:, -20:].mean()
    assert (image == ramp(channels_equal=True)[0]).all()


def test_a_colour_image_is_under_the_usual_colours():
    image, activation = ramp(channels_equal=False)
    drawn = heat_map(image, activation).astype(int)
    assert not is_grey(image)
    assert (drawn[:, 5, 0] > drawn[:, 5, 2]).all()  # blue is low
    assert (drawn[:, -30, 2] > drawn[:, -30, 0]).all()  # red is high


def test_an_outline_goes_through_the_outermost_pixels_of_every_part():
    region = np.zeros((9, 12), bool)
    region[2:5, 3:7] = True
    region[8, 11] = True
    rectangle, dot = sorted(outline(region).removesuffix('Z').split('Z'), key=len, reverse=True)
    assert rectangle == 'M3.5,2.5 3.5,4.5 6.5,4.5 6.5,2.5'
    assert dot == 'M11.5,8.5'
    assert outline(np.zeros((3, 3), bool)) == ''
