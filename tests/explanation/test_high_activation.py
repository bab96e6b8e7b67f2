import numpy as np
import pytest

from mmproto.explanation.high_activation import high_activation_box, upsample
from mmproto.visualization.drawing import heat_map


@pytest.mark.parametrize('shape', [(1, 1), (7, 5)])
@pytest.mark.parametrize('rounding', [0, 1e-7])
def test_a_constant_map_gives_the_whole_image_and_no_heat(shape, rounding):
    noise = np.random.default_rng(0).uniform(-rounding, rounding, shape)
    constant = (9.2103 * (1 + noise)).astype(np.float32)
    activation = upsample(constant, (113, 97))
    assert np.ptp(activation) == 0
    assert activation.dtype == np.float32
    assert high_activation_box(activation) == (0, 113, 0, 97)
    drawn = heat_map(np.full((113, 97, 3), (100, 100, 90), np.uint8), activation)  # coloured
    assert (drawn == drawn[0, 0]).all()
    assert drawn[0, 0, 0] > drawn[0, 0, 2]  # the cold end of the colours


def test_a_small_peak_is_no_constant():
    peaked = np.full((7, 7), 9.2, np.float32)
    peaked[2, 3] += 0.01
    assert high_activation_box(upsample(peaked, (70, 70))) != (0, 70, 0, 70)
