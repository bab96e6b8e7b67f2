import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import minimize

from mmproto.errors import InputError
from mmproto.functional import (
    BinaryScoreLoss,
    ConnectionPenalty,
    own_connections,
    solve_last_layer,
)


def data(seed, images=40, classes=3, prototypes=6):
    generator = torch.Generator().manual_seed(seed)
    scores = 3 * torch.rand(images, prototypes, generator=generator)
    labels = scores[:, :classes] + torch.randn(images, classes, generator=generator) > 2
    weight = torch.randn(classes, prototypes, generator=generator, dtype=torch.float64)
    weight[torch.rand(classes, prototypes, generator=generator) < 0.5] = 0
    return scores, labels, weight


def cost(logits, labels):
    return F.binary_cross_entropy_with_logits(logits, labels.double(), reduction='sum') / len(
        labels
    )


@pytest.mark.parametrize('block_size', [None, 7])
@pytest.mark.parametrize('scale', [1, 30])
def test_equals_autograd_at_a_bias_that_nothing_beats(block_size, scale):
    scores, labels, weight = data(0)
    weight *= scale
    loss = BinaryScoreLoss(scores, labels, 3, block_size)
    value, gradient = loss.everywhere(weight)
    dense = weight.clone().requires_grad_()
    bias = loss.bias(weight).requires_grad_()
    expected = cost(scores.double() @ dense.t() + bias, labels)
    expected.backward()
    torch.testing.assert_close(value, expected.detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient, dense.grad, rtol=1e-9, atol=1e-11)
    assert bias.grad.abs().max() < 1e-11
    connected = weight != 0
    _, some = loss(connected, weight[connected])
    torch.testing.assert_close(some, dense.grad[connected], rtol=1e-9, atol=1e-11)


def test_the_solver_finds_the_optimum():
    scores, labels, _ = data(1)
    own = own_connections(torch.tensor([0, 0, 1, 1, 2, 2]), 3)
    penalty = ConnectionPenalty(own, l1_weight=0.02, l2_weight=0.05)
    loss = BinaryScoreLoss(scores, labels, 3)
    solution = solve_last_layer(loss, penalty)
    assert solution.residual <= 1e-6
    assert (solution.weight[~own] == 0).any()

    # The same as a smooth problem with bounds: a connection to another class is u - v, both >= 0.
    def split(x):
        up, down, bias = np.split(x, [18, 36])
        return torch.tensor(up - down).view(3, 6), torch.tensor(up + down).view(3, 6), bias

    def objective(x):
        weight, absolute, bias = split(x)
        points = scores.double() @ weight.t() + torch.tensor(bias)
        pull = 0.05 / 2 * (weight - 1)[own].square().sum()
        return float(cost(points, labels) + 0.02 * absolute[~own].sum() + pull)

    bounds = [(0, None)] * 36 + [(None, None)] * 3
    best = minimize(
        objective, np.full(39, 0.5), bounds=bounds, method='L-BFGS-B',
        options=dict(maxiter=5000, maxfun=10**6, ftol=1e-14, gtol=1e-8),
    )  # fmt: skip
    assert solution.objective <= best.fun + 1e-9
    assert abs(solution.objective - best.fun) < 1e-5
    torch.testing.assert_close(
        loss.bias(solution.weight), torch.tensor(split(best.x)[2]), atol=0.02, rtol=0
    )


@pytest.mark.parametrize(('every', 'word'), [(True, 'every'), (False, 'no')])
def test_a_class_of_all_images_or_none_is_refused(every, word):
    scores, labels, _ = data(0)
    labels[:, 1] = every
    with pytest.raises(InputError, match=f'{word} training image has class 1'):
        BinaryScoreLoss(scores, labels, 3)
