import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmproto.functional import pairwise_squared_distance, squared_distance


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 3), st.integers(1, 6), st.integers(1, 5), st.integers(1, 9), st.integers(0))
def test_pairs_equal_a_plain_loop(n, places, p, k, seed):
    generator = torch.Generator().manual_seed(seed % 2**32)
    patches = torch.rand(n, places, k, generator=generator)
    prototypes = torch.rand(p, k, generator=generator)
    pairwise = pairwise_squared_distance(patches, prototypes)
    assert pairwise.shape == (n, places, p)
    for i in range(n):
        for place in range(places):
            for j in range(p):
                expected = sum((z - q) ** 2 for z, q in zip(patches[i, place], prototypes[j]))
                torch.testing.assert_close(pairwise[i, place, j], expected, rtol=1e-5, atol=1e-5)
                exact = squared_distance(patches[i, place], prototypes[j])
                torch.testing.assert_close(exact, expected, rtol=1e-5, atol=0)


def test_a_prototype_that_equals_the_patch_is_at_exactly_zero():
    patch = torch.rand(128)
    assert squared_distance(patch, patch.clone()) == 0
