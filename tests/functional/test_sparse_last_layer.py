import os
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from mmproto.errors import InputError
from mmproto.functional import (
    ConnectionPenalty,
    ScoreLoss,
    largest_l1_weight,
    last_layer_path,
    own_connections,
    solve_last_layer,
)

PROTOTYPE_CLASS = torch.tensor([0, 0, 1, 2, 2, 2, -1])


def problem(seed=0, images=60, noise=1.0, l1_weight=1e-2, l2_weight=1e-2, non_negative=False):
    """Scores of images on prototypes, their own class's higher by 1; noise makes errors."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(images) % 3
    own = labels[:, None] == PROTOTYPE_CLASS
    scores = 1 + own + noise * torch.rand(images, len(PROTOTYPE_CLASS), generator=generator)
    penalty = ConnectionPenalty(
        own_connections(PROTOTYPE_CLASS, 3), l1_weight, l2_weight, non_negative
    )
    return ScoreLoss(scores, labels, 3), penalty, scores, labels


def objective(loss, penalty, weight):
    return (loss.everywhere(weight)[0] + penalty(weight)).item()


def by_scipy(loss, penalty):
    """The least objective that L-BFGS-B finds, each weight being the difference of two."""
    size, shape = penalty.own.numel(), penalty.own.shape
    price, pull = penalty.price.numpy().ravel(), penalty.pull.numpy().ravel()
    most = 0 if penalty.non_negative else None

    def function(parts):
        weight = parts[:size] - parts[size:]
        value, gradient = loss.everywhere(torch.from_numpy(weight).view(shape))
        slope = gradient.numpy().ravel() + pull * (weight - 1)
        value = value.item() + price @ (parts[:size] + parts[size:])
        value += (pull / 2 * (weight - 1) ** 2).sum()
        return value, np.concatenate([price + slope, price - slope])

    bounds = [(0, None)] * size + [(0, most)] * size
    options = dict(maxiter=50_000, maxfun=200_000, ftol=0, gtol=1e-10)
    start = np.concatenate([penalty.own.numpy().ravel(), np.zeros(size)])
    return minimize(
        function, start, jac=True, method='L-BFGS-B', bounds=bounds, options=options
    ).fun


@settings(deadline=None, max_examples=10)
@given(
    st.integers(0, 1000),
    st.sampled_from([0.5, 3.0, 8.0]),
    st.sampled_from([1e-3, 1e-2, 0.1]),
    st.sampled_from([1e-3, 0.1]),
    st.booleans(),
)
def test_the_objective_is_that_of_a_general_solver(seed, noise, l1, l2, non_negative):
    loss, penalty, *_ = problem(seed, 60, noise, l1, l2, non_negative)
    solution = solve_last_layer(loss, penalty)
    assert solution.residual <= 1e-6
    assert solution.objective == pytest.approx(by_scipy(loss, penalty), abs=1e-7)
    assert solution.objective == pytest.approx(objective(loss, penalty, solution.weight))
    if non_negative:
        assert solution.weight.min() >= 0


def test_where_it_starts_does_not_matter():
    loss, penalty, *_ = problem(noise=4.0)
    dense = torch.where(penalty.own, 1.0, -0.5).double()
    for non_negative in (False, True):
        penalty = ConnectionPenalty(penalty.own, 1e-2, 1e-2, non_negative)
        weights = [solve_last_layer(loss, penalty, start).weight for start in (None, dense)]
        torch.testing.assert_close(*weights, rtol=0, atol=1e-3)


def test_images_that_can_be_told_apart_have_a_finite_minimum():
    loss, penalty, scores, labels = problem(noise=0.1, l2_weight=1e-5)
    solution = solve_last_layer(loss, penalty)
    assert solution.residual <= 1e-6
    assert bool(solution.weight.isfinite().all())
    assert bool(((scores.double() @ solution.weight.t()).argmax(1) == labels).all())


def test_no_adam_gets_lower():
    loss, penalty, scores, labels = problem(noise=4.0)
    layer = torch.nn.Linear(len(PROTOTYPE_CLASS), 3, bias=False)
    layer.weight.data = torch.where(penalty.own, 1.0, -0.5)
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-2)
    for _ in range(20):
        for some in torch.randperm(len(scores)).split(8):
            optimizer.zero_grad()
            cost = torch.nn.functional.cross_entropy(layer(scores[some]), labels[some])
            (cost + penalty(layer.weight)).backward()
            optimizer.step()
    adam = objective(loss, penalty, layer.weight.detach().double())
    assert solve_last_layer(loss, penalty).objective < adam


@pytest.mark.parametrize('non_negative', [False, True])
def test_from_the_largest_price_on_there_is_no_connection_to_another_class(non_negative):
    loss, penalty, *_ = problem(noise=4.0, non_negative=non_negative)
    largest = largest_l1_weight(loss, penalty)

    def connections(l1_weight):
        cost = ConnectionPenalty(penalty.own, l1_weight, 1e-2, non_negative)
        return int(solve_last_layer(loss, cost).weight[~penalty.own].count_nonzero())

    assert connections(1.001 * largest) == 0
    assert connections(0.97 * largest) > 0


def test_the_path_falls_and_is_quicker_than_its_parts():
    loss, penalty, *_ = problem(noise=4.0)
    path = list(last_layer_path(loss, penalty, count=12))
    assert path[0].l1_weight == largest_l1_weight(loss, penalty)
    assert path[-1].l1_weight == pytest.approx(1e-3 * path[0].l1_weight)
    objectives = [solution.objective for solution in path]
    assert objectives == sorted(objectives, reverse=True)
    connections = [int(solution.weight[~penalty.own].count_nonzero()) for solution in path]
    assert connections[0] <= 1
    assert connections[-1] > 5
    cold = [
        solve_last_layer(loss, ConnectionPenalty(penalty.own, solution.l1_weight, 1e-2))
        for solution in path
    ]
    for alone, solution in zip(cold, path):
        assert solution.objective == pytest.approx(alone.objective, abs=1e-9)
    assert sum(solution.iterations for solution in path) < sum(
        solution.iterations for solution in cold
    )


@settings(deadline=None, max_examples=4)
@given(st.integers(0, 1000), st.sampled_from([0.5, 4.0]), st.booleans())
def test_the_path_is_monotone(seed, noise, non_negative):
    loss, penalty, *_ = problem(seed, noise=noise, non_negative=non_negative)
    path = list(last_layer_path(loss, penalty, count=4))
    values = [loss.everywhere(solution.weight)[0].item() for solution in path]
    sums = [solution.weight[~penalty.own].abs().sum().item() for solution in path]
    for one, sparser in zip(path[1:], path):
        assert one.l1_weight < sparser.l1_weight
        assert one.objective <= sparser.objective + 1e-12
        # At a price near zero, images that can be told apart may take all the steps there are.
        assert one.residual <= 1e-6 or one.iterations == 50_000
        assert one.residual <= 1e-5
    # What is paid less is bought more of, and the images are told apart better with it.
    assert all(after >= before - 1e-6 for before, after in pairwise(sums))
    pulled = [(p.weight[penalty.own] - 1).square().sum().item() / 2 * 1e-2 for p in path]
    fits = [value + pull for value, pull in zip(values, pulled)]
    assert all(after <= before + 1e-9 for before, after in pairwise(fits))


def test_scores_that_are_no_numbers_are_refused():
    _, penalty, scores, labels = problem()
    scores[3, 2] = float('nan')
    with pytest.raises(InputError, match='not finite'):
        solve_last_layer(ScoreLoss(scores, labels, 3), penalty)


def test_classes_without_images_or_prototypes_are_no_obstacle():
    _, _, scores, labels = problem(noise=4.0)
    own = own_connections(PROTOTYPE_CLASS, 5)
    solution = solve_last_layer(
        ScoreLoss(scores, labels + 1, 5), ConnectionPenalty(own, 1e-2, 1e-2)
    )
    assert solution.residual <= 1e-6
    assert bool(solution.weight[3].any())  # images and no prototype: told by those of others


def test_it_stops_at_the_number_of_steps_given():
    loss, penalty, *_ = problem(noise=4.0)
    solution = solve_last_layer(loss, penalty, max_iterations=5)
    assert solution.iterations == 5
    assert solution.residual > 1e-6


def run_process(rank, world_size, folder):
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT='29642')
    torch.distributed.init_process_group('gloo', rank=rank, world_size=world_size)
    _, penalty, scores, labels = problem(noise=4.0)
    loss = ScoreLoss(
        scores[rank::world_size],
        labels[rank::world_size],
        3,
        all_reduce=torch.distributed.all_reduce,
    )
    torch.save(solve_last_layer(loss, penalty), f'{folder}/{rank}.pth')
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_solve_what_one_solves(tmp_path):
    loss, penalty, *_ = problem(noise=4.0)
    alone = solve_last_layer(loss, penalty)
    mp.spawn(run_process, (2, str(tmp_path)), nprocs=2)
    first, second = (torch.load(tmp_path / f'{r}.pth', weights_only=False) for r in range(2))
    assert torch.equal(first.weight, second.weight)
    assert first.objective == pytest.approx(alone.objective, abs=1e-10)
    assert torch.equal(first.weight != 0, alone.weight != 0)
