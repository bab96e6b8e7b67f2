import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mmproto.functional import cosine_distance, pairwise_cosine_distance, unit_length


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 4), st.integers(2, 9), st.integers(0))
def test_pairs_equal_the_cosine_of_torch(n, places, p, k, seed):
    generator = torch.Generator().manual_seed(seed % 2**32)
    patches = torch.randn(n, places, k, generator=generator)
    prototypes = torch.randn(p, k, generator=generator)
    expected = 1 - F.cosine_similarity(patches[:, :, None], prototypes, dim=-1)
    patches, prototypes = unit_length(patches), unit_length(prototypes)
    pairwise = pairwise_cosine_distance(patches, prototypes)
    torch.testing.assert_close(pairwise, expected, rtol=0, atol=1e-6)
    exact = cosine_distance(patches[:, :, None], prototypes)
    torch.testing.assert_close(exact, expected, rtol=0, atol=1e-6)


def test_a_prototype_that_equals_the_patch_is_at_exactly_zero():
    patch = unit_length(torch.randn(128))
    assert cosine_distance(patch, patch.clone()) == 0


def test_vectors_of_unit_length():
    vectors = unit_length(torch.randn(5, 7) * 100)
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(5))
    assert torch.equal(unit_length(torch.zeros(1, 3)), torch.zeros(1, 3))
