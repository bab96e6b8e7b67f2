import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmproto.functional import prototype_contrast_cost
from tests.functional.prototypes_of_classes import prototypes_of_classes, rivals


@settings(deadline=None, max_examples=100)
@given(prototypes_of_classes(), st.sampled_from([0.05, 0.1, 1.0]))
def test_it_equals_a_plain_loop_over_softmaxes(case, temperature):
    prototypes, classes = case
    cost = prototype_contrast_cost(prototypes, classes, temperature)
    each = []
    for cosines in rivals(prototypes, classes):
        if cosines:
            exponentials = [math.exp(cosine / temperature) for cosine in [1.0, *cosines]]
            cross_entropy = -math.log(exponentials[0] / sum(exponentials))
            each.append(cross_entropy / math.log(len(exponentials)))
    assert cost.item() == pytest.approx(sum(each) / max(len(each), 1), abs=1e-5)
    assert 0 <= cost <= 1 + 1e-5
    cost.backward()
    assert prototypes.grad.abs().max() < 1e6


@pytest.mark.parametrize('k', [2, 3, 10])
def test_from_all_apart_to_all_on_one_patch(k):
    axes = torch.eye(k).view(k, k, 1, 1)
    classes = torch.zeros(k, dtype=torch.long)
    assert prototype_contrast_cost(axes, classes) < 1e-3
    same = axes[:1].expand(k, -1, -1, -1)
    assert prototype_contrast_cost(same, classes).item() == pytest.approx(1, abs=1e-5)


def test_the_lengths_of_the_prototypes_do_not_count():
    prototypes = torch.rand(6, 4, 1, 1, generator=torch.manual_seed(0))
    classes = torch.tensor([0, 1, 0, 1, 0, -1])
    lengths = torch.tensor([1.0, 2, 0.1, 7, 100, 3]).view(6, 1, 1, 1)
    torch.testing.assert_close(
        prototype_contrast_cost(prototypes * lengths, classes),
        prototype_contrast_cost(prototypes, classes),
    )


def test_classes_do_not_contrast_with_each_other():
    prototypes = torch.ones(4, 3, 1, 1)
    assert prototype_contrast_cost(prototypes, torch.tensor([0, 1, 2, -1])) == 0
    assert prototype_contrast_cost(prototypes, torch.tensor([-1, -1, -1, -1])) == 0


def test_descending_parts_prototypes_that_are_close():
    close = torch.ones(3, 6, 1, 1) + 0.1 * torch.randn(3, 6, 1, 1, generator=torch.manual_seed(0))
    prototypes, classes = close.requires_grad_(), torch.zeros(3, dtype=torch.long)
    optimizer = torch.optim.Adam([prototypes], lr=0.01)
    first = prototype_contrast_cost(prototypes, classes).item()
    for _ in range(300):
        optimizer.zero_grad()
        cost = prototype_contrast_cost(prototypes, classes)
        cost.backward()
        optimizer.step()
    assert first > 0.9
    assert cost < 0.01


def test_it_is_computed_in_fp32_under_autocast():
    prototypes = torch.rand(8, 16, 1, 1, generator=torch.manual_seed(0))
    classes = torch.arange(8) // 4
    plain = prototype_contrast_cost(prototypes, classes)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(prototype_contrast_cost(prototypes, classes), plain)
