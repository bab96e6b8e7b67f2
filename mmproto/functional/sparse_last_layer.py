"""The last layer by convex optimization (section 2.2), solved until nothing can be gained.

No well-kept library solves this problem: scikit-learn's ``saga`` knows one penalty for all
weights, skglm and celer have no multinomial loss, glmnet one price a prototype whatever the
class, and a general convex solver (cvxpy) is too slow and leaves no zero exactly zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from mmproto.errors import InputError
from mmproto.functional.accelerated_descent import accelerated_descent
from mmproto.functional.connection_penalty import ConnectionPenalty
from mmproto.functional.score_loss import ScoreLoss

# The part of the violation that is left in the working set before all connections are looked at.
ROUND = 0.1
# A price below which no connection is worth asking about.
LEAST_PRICE = 1e-9


@dataclass(frozen=True)
class LastLayerSolution:
    """A last layer, and how near it is to the best one.

    Attributes:
        weight: The connections (C, P) in double precision; those that are not used are zero.
        l1_weight: The price of a connection to another class.
        objective: Loss and penalty.
        residual: The largest :meth:`ConnectionPenalty.violation`, relative to ``l1_weight``.
        iterations: How many steps it took.
    """

    weight: Tensor
    l1_weight: float
    objective: float
    residual: float
    iterations: int


def solve_last_layer(
    loss: ScoreLoss,
    penalty: ConnectionPenalty,
    start: Tensor | None = None,
    tolerance: float = 1e-6,
    max_iterations: int = 50_000,
) -> LastLayerSolution:
    """Minimise ``loss(W) + penalty(W)`` over the connections W (C, P).

    At the minimum most connections are zero, and costly only if looked at: the descent has a
    working set, the connections to the own class, those that are not zero, and those that
    violate the optimality most. Then all are looked at again, until none violates it.

    Args:
        loss: Cross entropy of the training images.
        penalty: What the connections cost.
        start: Where to start (C, P), such as the solution for another price; the fewer are not
            zero the better. If None, 1 to the own class and 0 to others. The minimum is the same.
        tolerance: The residual at which to stop.
        max_iterations: The number of steps at which to stop in any case.

    Raises:
        InputError: If a score is not finite.
    """
    weight = penalty.own.double() if start is None else start.double()
    weight = weight.clamp(min=0) if penalty.non_negative else weight
    iterations, curvature = 0, 1.0
    while True:
        value, gradient = loss.everywhere(weight)
        if not gradient.isfinite().all():
            raise InputError('the scores that the last layer is fitted to are not finite')
        violation = penalty.violation(weight, gradient)
        residual = violation.max().item() / penalty.l1_weight
        if residual <= tolerance or iterations >= max_iterations:
            break
        working = _working_set(weight, violation, penalty.own)
        descent = accelerated_descent(
            partial(loss, working),
            replace(penalty, own=penalty.own[working]),
            weight[working],
            curvature,
            tolerance=ROUND * violation.max().item(),
            max_iterations=max_iterations - iterations,
        )
        weight = torch.zeros_like(weight).masked_scatter_(working, descent.weight)
        iterations, curvature = iterations + descent.iterations, descent.curvature
    objective = (value + penalty(weight)).item()
    return LastLayerSolution(weight, penalty.l1_weight, objective, residual, iterations)


def largest_l1_weight(
    loss: ScoreLoss, penalty: ConnectionPenalty, tolerance: float = 1e-6
) -> float:
    """Return the price from which on no class has a connection to a prototype of another.

    Args:
        loss: Cross entropy of the training images.
        penalty: What the connections cost; its ``l1_weight`` does not matter.
        tolerance: The residual of the solution that it is found by.
    """

    def price_at(weight: Tensor) -> float:
        worth = penalty.worth(loss.everywhere(weight)[1])
        return max(worth.masked_fill(penalty.own, 0).max().item(), LEAST_PRICE)

    weight = penalty.own.double()
    price = price_at(weight)
    while True:
        at_price = replace(penalty, l1_weight=price)
        weight = solve_last_layer(loss, at_price, weight, tolerance).weight
        if not weight[~penalty.own].any():
            return price_at(weight)
        price *= 2


def last_layer_path(
    loss: ScoreLoss,
    penalty: ConnectionPenalty,
    count: int = 20,
    least: float = 1e-3,
    tolerance: float = 1e-6,
) -> Iterator[LastLayerSolution]:
    """Solve for one price after another, from no connection to other classes to many.

    Each solution is where the next one starts.

    Args:
        loss: Cross entropy of the training images.
        penalty: What the connections cost; its ``l1_weight`` does not matter.
        count: Number of prices, at equal ratios.
        least: The last price, relative to :func:`largest_l1_weight`, which is the first.
        tolerance: The residual of each solution.

    Yields:
        The solution for each price.
    """
    largest = largest_l1_weight(loss, penalty, tolerance)
    start = None
    for fraction in torch.logspace(0, 1, count, base=least, dtype=torch.float64).tolist():
        at_price = replace(penalty, l1_weight=fraction * largest)
        solution = solve_last_layer(loss, at_price, start, tolerance)
        yield solution
        start = solution.weight


def _working_set(weight: Tensor, violation: Tensor, own: Tensor) -> Tensor:
    """Choose the connections in use, and as many others at most, which violate most."""
    used = own | (weight != 0)
    candidates = violation.masked_fill(used, 0).flatten()
    count = min(int(used.sum()), int((candidates > 0).sum()))
    working = used.flatten()
    working[candidates.topk(count).indices] = True
    return working.view_as(own)
