import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmproto.functional import (
    cosine_distance,
    nearest_distance,
    pairwise_cosine_distance,
    pairwise_squared_distance,
    squared_distance,
    unit_length,
)
from mmproto.functional.nearest_distance import distance_at

SQUARED = squared_distance, pairwise_squared_distance
COSINE = cosine_distance, pairwise_cosine_distance
MODULE = sys.modules[nearest_distance.__module__]  # whose name the function has taken
sizes = st.tuples(*[st.integers(1, 6)] * 4, st.integers(0, 1000))


def whole_numbers(sizes):
    """Patches (N, L, K) and prototypes (P, K) of so few whole numbers that many are equal."""
    n, patches, p, k, seed = sizes
    generator = torch.manual_seed(seed)
    draw = [torch.randint(0, 3, size, generator=generator) for size in ((n, patches, k), (p, k))]
    return [values.double().requires_grad_() for values in draw]


def by_loop(patches, prototypes):
    """Distances, and the number of the first of the nearest patches."""
    distances, numbers = [], []
    for image in patches:
        for prototype in prototypes:
            all_of_image = torch.stack([(patch - prototype).square().sum() for patch in image])
            number = all_of_image.tolist().index(min(all_of_image.tolist()))
            distances.append(all_of_image[number])
            numbers.append(number)
    shape = len(patches), len(prototypes)
    return torch.stack(distances).view(shape), torch.tensor(numbers).view(shape)


@settings(deadline=None, max_examples=60)
@given(sizes, st.sampled_from([1, 7, 2**15]))
def test_it_equals_a_plain_loop_and_the_first_of_equals_wins(sizes, block):
    patches, prototypes = whole_numbers(sizes)
    with pytest.MonkeyPatch.context() as patch:
        for name in ('PAIRS', 'NUMBERS'):
            patch.setattr(MODULE, name, block)
        distances, numbers = nearest_distance(*SQUARED, patches, prototypes)
        weights = torch.rand(distances.shape, dtype=torch.double)
        ours = torch.autograd.grad((weights * distances).sum(), [patches, prototypes])
    expected, places = by_loop(patches, prototypes)
    assert torch.equal(numbers, places)
    torch.testing.assert_close(distances, expected)
    theirs = torch.autograd.grad((weights * expected).sum(), [patches, prototypes])
    torch.testing.assert_close(ours, theirs)


def test_the_gradient_is_that_of_finite_differences():
    torch.manual_seed(0)
    patches = torch.rand(2, 5, 3, dtype=torch.double, requires_grad=True)
    prototypes = torch.rand(4, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda *both: nearest_distance(*SQUARED, *both)[0], [patches, prototypes]
    )


def test_the_gradient_of_the_angle_is_that_of_all_pairs():
    torch.manual_seed(0)
    patches = unit_length(torch.rand(2, 5, 3, dtype=torch.double)).requires_grad_()
    prototypes = unit_length(torch.rand(4, 3, dtype=torch.double)).requires_grad_()
    distances, _ = nearest_distance(*COSINE, patches, prototypes)
    ours = torch.autograd.grad(distances.sum(), [patches, prototypes])
    pairs = pairwise_cosine_distance(patches, prototypes).amin(dim=1)
    theirs = torch.autograd.grad(pairs.sum(), [patches, prototypes])
    torch.testing.assert_close(distances, pairs)
    torch.testing.assert_close(ours, theirs)


def test_nothing_is_kept_of_all_pairs_for_the_gradient():
    n, count, p, k = 2, 49, 300, 64
    patches, prototypes = torch.rand(n, count, k), torch.rand(p, k)
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        both = patches.requires_grad_(), prototypes.requires_grad_()
        distances, _ = nearest_distance(*SQUARED, *both)
    given = patches.nbytes + prototypes.nbytes + 8 * n * p
    assert sum(kept.values()) <= given
    assert given < 4 * n * p * min(count, k)
    distances.sum().backward()


def test_a_distance_of_parameters_of_its_own_trains_them():
    scale = torch.full((3,), 2.0, requires_grad=True)

    def scaled(patches, prototypes):
        return squared_distance(scale * patches, scale * prototypes)

    patches, prototypes = torch.rand(2, 5, 3), torch.rand(4, 3)
    numbers = torch.zeros(2, 4, dtype=torch.long)
    distances = distance_at(scaled, patches, numbers, prototypes)
    (gradient,) = torch.autograd.grad(distances.sum(), scale)
    differences = (patches[:, :1] - prototypes).square().sum((0, 1))
    torch.testing.assert_close(gradient, 4 * differences)


def test_a_compiled_one_is_the_same():
    torch.manual_seed(0)
    both = torch.rand(2, 9, 4).requires_grad_(), torch.rand(5, 4).requires_grad_()

    def loss(patches, prototypes):
        return nearest_distance(*SQUARED, patches, prototypes)[0].sum()

    plain = torch.autograd.grad(loss(*both), both)
    compiled = torch.compile(loss, backend='aot_eager', fullgraph=True)
    torch.testing.assert_close(torch.autograd.grad(compiled(*both), both), plain)
