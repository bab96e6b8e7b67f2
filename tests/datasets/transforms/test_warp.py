"""The warps: no black, identity at zero, and geometry against independent calculations."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmcv.transforms.utils import cache_random_params
from mmpretrain.registry import TRANSFORMS
from PIL import Image

from mmproto.datasets.transforms import RandomRotate, RandomShear, RandomSkew
from mmproto.datasets.transforms.warp import (
    SKEW_PROBABILITIES,
    SKEWS,
    rotate_homography,
    shear_homography,
    skew_homography,
)

SIDES = st.integers(2, 700)
WARPS = [RandomRotate(15), RandomSkew(0.2), RandomShear(10)]


def apply(matrix, points):
    """Maps (n, 2) points."""
    mapped = np.c_[points, np.ones(len(points))] @ matrix.T
    return mapped[:, :2] / mapped[:, 2:]


def corners(height, width):
    return np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]])


def pulled_back(matrix, height, width):
    """The source points that the output's corners show; they have to be inside the source."""
    points = apply(np.linalg.inv(matrix), corners(height, width))
    assert (points >= -1e-2).all()
    assert (points <= np.array([width - 1, height - 1]) + 1e-2).all()
    return points


@settings(deadline=None)
@given(SIDES, SIDES, st.floats(-15, 15))
def test_rotate_shows_the_largest_rectangle_of_the_same_aspect(height, width, angle):
    points = pulled_back(rotate_homography(height, width, angle), height, width)
    sides = np.linalg.norm(np.diff(points, axis=0), axis=1)
    assert sides[0] / sides[1] == pytest.approx((width - 1) / (height - 1), rel=1e-6)
    to_border = np.minimum(points, np.array([width - 1, height - 1]) - points)
    assert to_border.min() == pytest.approx(0, abs=1e-6)  # touches: nothing larger fits


@settings(deadline=None)
@given(SIDES, SIDES, st.floats(0, 0.2), st.integers(0, 11))
def test_skew_moves_corners_outward_only(height, width, amount, skew):
    matrix = skew_homography(height, width, amount, skew)
    pulled_back(matrix, height, width)
    moves = apply(matrix, corners(height, width)) - corners(height, width)
    np.testing.assert_allclose(moves, SKEWS[skew] * amount * max(height, width), atol=1e-2)


@settings(deadline=None)
@given(SIDES, SIDES, st.floats(-10, 10), st.booleans())
def test_shear_cuts_no_more_than_it_must(height, width, angle, vertical):
    points = pulled_back(shear_homography(height, width, angle, vertical), height, width)
    axis = int(vertical)  # the coordinate that moves
    limit = (height if vertical else width) - 1
    assert points[:, axis].min() == pytest.approx(0, abs=1e-6)
    assert points[:, axis].max() == pytest.approx(limit, abs=1e-6)
    np.testing.assert_allclose(points[:, 1 - axis], corners(height, width)[:, 1 - axis], atol=1e-6)


@pytest.mark.parametrize(('angle', 'vertical'), [(7, False), (-7, False), (7, True), (-7, True)])
def test_shear_has_the_angle_it_is_asked_for(angle, vertical):
    points = apply(np.linalg.inv(shear_homography(101, 151, angle, vertical)), corners(101, 151))
    axis = int(vertical)
    lean = points[3 if axis == 0 else 1] - points[0]  # an edge of the output, in the source
    assert lean[axis] / lean[1 - axis] == pytest.approx(-np.tan(np.deg2rad(angle)))


@settings(deadline=None)
@given(SIDES, SIDES, st.integers(0, 11), st.booleans())
def test_identity_at_parameter_zero(height, width, skew, vertical):
    for matrix in (
        rotate_homography(height, width, 0),
        skew_homography(height, width, 0, skew),
        shear_homography(height, width, 0, vertical),
    ):
        np.testing.assert_allclose(
            apply(matrix, corners(height, width)), corners(height, width), atol=1e-6
        )


def picture(height, width):
    """Smooth, without any symmetry."""
    y, x = np.mgrid[:height, :width]
    return np.stack(
        [x * 200 / width + 20, y * 200 / height + 20, 120 + 80 * np.sin(x / 19 + y / 31)], axis=-1
    ).astype(np.uint8)


@pytest.mark.parametrize('angle', [-15, -4, 9])
def test_rotate_agrees_with_pil(angle):
    height, width = 151, 201
    matrix = rotate_homography(height, width, angle)
    ours = cv2.warpPerspective(picture(height, width), matrix, (width, height)).astype(int)

    turned = Image.fromarray(picture(height, width)).rotate(angle, Image.Resampling.BICUBIC)
    cos, sin = np.cos(np.deg2rad(angle)), abs(np.sin(np.deg2rad(angle)))
    scale = min(width / (width * cos + height * sin), height / (width * sin + height * cos))
    left, top = width * (1 - scale) / 2, height * (1 - scale) / 2
    theirs = np.array(
        turned.resize(
            (width, height), Image.Resampling.BICUBIC, box=(left, top, width - left, height - top)
        )
    ).astype(int)
    inner = slice(5, -5)
    difference = np.abs(ours - theirs)[inner, inner]
    assert difference.mean() < 1
    assert difference.max() < 6


def test_skews_are_four_tilts_and_eight_corner_moves():
    assert sorted(np.abs(SKEWS).sum(axis=(1, 2))) == [1] * 8 + [2] * 4
    assert len({skew.tobytes() for skew in SKEWS}) == 12
    for tilt in SKEWS[:4]:  # two neighbouring corners part along the side they share
        assert tilt.sum() == 0
        (a, b), axes = np.nonzero(tilt)
        assert axes[0] == axes[1]
        assert (b - a) % 4 in (1, 3)
        assert corners(2, 2)[a][axes[0]] != corners(2, 2)[b][axes[0]]
    assert SKEW_PROBABILITIES[:4].sum() == 3 / 4
    assert SKEW_PROBABILITIES.sum() == 1


@pytest.mark.parametrize('warp', WARPS, ids=repr)
def test_white_stays_white(warp):
    np.random.seed(0)
    for _ in range(200):
        height, width = np.random.randint(2, 90, size=2)
        white = np.full((height, width, 3), 255, dtype=np.uint8)
        output = warp(dict(img=white))['img']
        assert output.shape == white.shape
        assert output.min() == 255


@pytest.mark.parametrize('warp', WARPS, ids=repr)
def test_draws_from_numpys_global_generator(warp):
    image = picture(60, 80)

    def outputs(seed):
        np.random.seed(seed)
        return [warp(dict(img=image.copy()))['img'] for _ in range(4)]

    np.testing.assert_array_equal(outputs(1), outputs(1))
    assert (np.array(outputs(1)) != np.array(outputs(2))).any()
    assert (outputs(1)[0] != outputs(1)[1]).any()
    with cache_random_params(warp):
        np.testing.assert_array_equal(warp.draw(), warp.draw())


def test_parameters_fill_their_range():
    np.random.seed(0)
    rotations, skews, shears = ([warp.draw() for _ in range(1000)] for warp in WARPS)
    for angles, top in [(np.ravel(rotations), 15), (np.array(shears)[:, 0], 10)]:
        assert -top <= angles.min() < -0.95 * top
        assert 0.95 * top < angles.max() <= top
    amounts, kinds = np.array(skews).T
    assert 0 <= amounts.min() < 0.01
    assert 0.19 < amounts.max() <= 0.2
    assert set(kinds) == set(range(12))
    assert 400 < np.array(shears)[:, 1].sum() < 600


@pytest.mark.parametrize('name', ['RandomRotate', 'RandomSkew', 'RandomShear'])
def test_registered(name):
    assert repr(TRANSFORMS.build(dict(type=name))) == repr(
        dict(zip(['RandomRotate', 'RandomSkew', 'RandomShear'], WARPS))[name]
    )
