import pytest
import torch
from hypothesis import given, settings

from mmproto.functional import orthogonality_cost
from tests.functional.prototypes_of_classes import prototypes_of_classes, rivals


@settings(deadline=None, max_examples=100)
@given(prototypes_of_classes())
def test_it_equals_a_plain_loop_over_pairs(case):
    prototypes, classes = case
    cost = orthogonality_cost(prototypes, classes)
    squares = [cosine**2 for cosines in rivals(prototypes, classes) for cosine in cosines]
    expected = sum(squares) / max(len(squares), 1)
    assert cost.item() == pytest.approx(expected, abs=1e-6)
    assert 0 <= cost <= 1 + 1e-6
    cost.backward()
    assert prototypes.grad.abs().max() < 1e6


def test_it_is_the_published_sum_over_the_number_of_pairs():
    prototypes = torch.randn(6, 5, 1, 1, generator=torch.manual_seed(0))
    units = torch.nn.functional.normalize(prototypes.flatten(1))
    published = sum((q @ q.t() - torch.eye(3)).square().sum() for q in (units[:3], units[3:]))
    cost = orthogonality_cost(prototypes, torch.tensor([0, 0, 0, 1, 1, 1]))
    torch.testing.assert_close(cost * 12, published)


def test_from_orthogonal_to_parallel_whatever_the_lengths():
    axes = torch.eye(4).view(4, 4, 1, 1) * torch.tensor([1.0, 2, 3, 40]).view(4, 1, 1, 1)
    assert orthogonality_cost(axes, torch.zeros(4, dtype=torch.long)) == 0
    assert orthogonality_cost(axes[[0, 0, 1, 1]], torch.tensor([0, 1, 0, 1])) == 0
    parallel = orthogonality_cost(
        axes[[0, 0]] * torch.tensor([1.0, -9]).view(2, 1, 1, 1), torch.tensor([5, 5])
    )
    assert float(parallel) == pytest.approx(1)


def test_it_is_computed_in_fp32_under_autocast():
    prototypes = torch.rand(8, 16, 1, 1, generator=torch.manual_seed(0))
    classes = torch.arange(8) // 4
    plain = orthogonality_cost(prototypes, classes)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(orthogonality_cost(prototypes, classes), plain)


def test_descending_makes_the_prototypes_orthogonal():
    prototypes = torch.rand(5, 6, 1, 1, generator=torch.manual_seed(0)).requires_grad_()
    classes = torch.tensor([0, 0, 0, 1, 1])
    optimizer = torch.optim.SGD([prototypes], lr=1.0)
    for _ in range(200):
        optimizer.zero_grad()
        cost = orthogonality_cost(prototypes, classes)
        cost.backward()
        optimizer.step()
    assert cost < 1e-4
