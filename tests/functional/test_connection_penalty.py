import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmproto.errors import InputError
from mmproto.functional import ConnectionPenalty, own_connections

GRID = torch.linspace(-4, 4, 401, dtype=torch.float64)


def one(own, non_negative):
    return ConnectionPenalty(torch.tensor([own]), 0.3, 0.7, non_negative)


def values(penalty, weights, curvature, target):
    """The objective of the proximal step at many weights of one connection."""
    cost = torch.stack([penalty(weight[None]) for weight in weights])
    return cost + curvature / 2 * (weights - target).square()


@settings(deadline=None, max_examples=60)
@given(st.booleans(), st.booleans(), st.floats(-3, 3), st.floats(0.1, 5))
def test_the_proximal_step_is_the_least_on_a_grid(own, non_negative, target, curvature):
    penalty = one(own, non_negative)
    grid = GRID
    grid = grid[grid >= 0] if non_negative else grid
    point = torch.tensor([target], dtype=torch.float64)
    found = penalty.proximal(point, curvature)
    assert values(penalty, found, curvature, target) <= (
        values(penalty, grid, curvature, target).min() + 1e-12
    )
    # The violation of the step's own objective is none there.
    slope = curvature * (found - target)
    assert penalty.violation(found, slope).item() <= 1e-12


def test_small_connections_to_other_classes_become_exactly_zero():
    penalty = ConnectionPenalty(torch.tensor([False, False, True]), 0.5, 1.0)
    point = torch.tensor([0.4, -0.6, -1.0], dtype=torch.float64)
    found = penalty.proximal(point, 1.0)
    torch.testing.assert_close(found, torch.tensor([0.0, -0.1, 0.0], dtype=torch.float64))
    assert found[0] == 0


def test_the_violation_counts_what_a_price_does_not_hold():
    penalty = ConnectionPenalty(torch.zeros(5, dtype=torch.bool), 0.5, 1.0)
    weight = torch.tensor([0.0, 0.0, 0.0, 2.0, -2.0], dtype=torch.float64)
    gradient = torch.tensor([0.4, -0.8, 0.8, 0.1, 0.1], dtype=torch.float64)
    expected = torch.tensor([0.0, 0.3, 0.3, 0.6, 0.4], dtype=torch.float64)
    torch.testing.assert_close(penalty.violation(weight, gradient), expected)
    positive = ConnectionPenalty(penalty.own, 0.5, 1.0, non_negative=True)
    expected[2] = 0  # it would go below zero, which it must not
    torch.testing.assert_close(positive.violation(weight, gradient)[:4], expected[:4])


def test_a_prototype_without_a_class_has_no_own_connection():
    own = own_connections(torch.tensor([1, -1, 0]), 2)
    assert own.tolist() == [[False, False, True], [True, False, False]]


@pytest.mark.parametrize('changes', [dict(l1_weight=-1e-3), dict(l2_weight=0.0)])
def test_weights_that_are_not_positive_are_refused(changes):
    with pytest.raises(InputError, match=r'^l[12]_weight=.*: give a positive number$'):
        ConnectionPenalty(**{**dict(own=torch.tensor([True]), l1_weight=1, l2_weight=1), **changes})
