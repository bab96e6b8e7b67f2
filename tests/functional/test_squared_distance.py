import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmproto.errors import InputError
from mmproto.functional import (
    log_similarity,
    nearest_distances,
    squared_distances,
    true_fp32,
)


def by_loop(features, prototypes):
    """Squared distances, one patch and one prototype at a time, in double precision."""
    n, _, height, width = features.shape
    p, _, h, w = prototypes.shape
    out = torch.empty(n, p, height - h + 1, width - w + 1, dtype=torch.float64)
    for i in range(n):
        for j in range(p):
            for row in range(height - h + 1):
                for column in range(width - w + 1):
                    patch = features[i, :, row : row + h, column : column + w].double()
                    out[i, j, row, column] = (patch - prototypes[j].double()).square().sum()
    return out


shapes = st.tuples(
    st.integers(1, 3),  # images
    st.integers(1, 4),  # prototypes
    st.integers(1, 5),  # channels
    st.integers(1, 2),  # prototype height and width
    st.integers(1, 3),
    st.integers(0, 3),  # how much larger the map is
    st.integers(0, 2),
    st.integers(0, 1000),  # seed
)


@settings(deadline=None, max_examples=40)
@given(shapes)
def test_distances_equal_a_plain_loop(shape):
    n, p, d, h, w, more_rows, more_columns, seed = shape
    generator = torch.Generator().manual_seed(seed)
    features = torch.rand(n, d, h + more_rows, w + more_columns, generator=generator)
    prototypes = torch.rand(p, d, h, w, generator=generator)
    expected = by_loop(features, prototypes)
    torch.testing.assert_close(
        squared_distances(features, prototypes).double(), expected, rtol=1e-5, atol=1e-5
    )
    torch.testing.assert_close(
        nearest_distances(features, prototypes).double(),
        expected.flatten(2).amin(2),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize('size', [(1, 1), (2, 3)])
def test_gradients_equal_a_plain_loop(size):
    torch.manual_seed(0)
    features = torch.rand(2, 4, 5, 6, requires_grad=True)
    prototypes = torch.rand(3, 4, *size, requires_grad=True)
    ours = torch.autograd.grad(
        nearest_distances(features, prototypes).sum(), [features, prototypes]
    )
    expected = torch.autograd.grad(
        by_loop(features, prototypes).flatten(2).amin(2).sum(), [features, prototypes]
    )
    for one, other in zip(ours, expected):
        torch.testing.assert_close(one, other.float(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('autocast', [False, True])
@pytest.mark.parametrize('precision', ['highest', 'medium'])
def test_a_prototype_that_equals_a_patch_scores_the_most(autocast, precision):
    torch.manual_seed(0)
    torch.set_float32_matmul_precision(precision)
    try:
        with torch.autocast('cpu', dtype=torch.bfloat16, enabled=autocast):
            conv = torch.nn.Conv2d(3, 128, 1)
            features = conv(torch.rand(4, 3, 7, 7)).sigmoid()
            assert (features.dtype is torch.bfloat16) == autocast
            prototypes = features[1, :, 2:4, 3:5].float()[None].detach()
            distance = nearest_distances(features, prototypes)
        assert torch.get_float32_matmul_precision() == precision
    finally:
        torch.set_float32_matmul_precision('highest')
    assert distance.dtype is torch.float32
    assert log_similarity(distance)[1].item() == pytest.approx(math.log(1 / 1e-4), abs=1e-3)
    assert log_similarity(distance)[0].item() < 9


def test_distances_under_autocast_are_those_without():
    torch.manual_seed(0)
    features, prototypes = torch.rand(2, 64, 7, 7).bfloat16(), torch.rand(20, 64, 1, 1)
    plain = nearest_distances(features, prototypes)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(nearest_distances(features, prototypes), plain)
        maps = squared_distances(features, prototypes)
    assert maps.dtype is torch.float32
    assert bool((maps >= 0).all())


def test_true_fp32_turns_autocast_off_inside_only():
    a = torch.rand(4, 4)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        with true_fp32('cpu'):
            assert (a @ a).dtype is torch.float32
        assert (a @ a).dtype is torch.bfloat16


@pytest.mark.parametrize('backend', [torch.backends, torch.backends.cuda.matmul])
def test_true_fp32_knows_both_ways_to_ask_for_less(backend):
    before = backend.fp32_precision
    backend.fp32_precision = 'tf32'
    try:
        asked = torch.backends.cuda.matmul.fp32_precision
        with true_fp32('cpu'):
            assert torch.backends.cuda.matmul.fp32_precision == 'ieee'
        assert torch.backends.cuda.matmul.fp32_precision == asked
    finally:
        backend.fp32_precision = before


def test_a_map_smaller_than_a_prototype_is_refused():
    with pytest.raises(InputError, match=r'prototype_size=\(3, 3\) does not fit the 2x5'):
        squared_distances(torch.rand(1, 2, 2, 5), torch.rand(1, 2, 3, 3))
