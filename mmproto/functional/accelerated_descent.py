"""Accelerated proximal gradient descent (Beck and Teboulle, 2009), with adaptive restart."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from mmproto.functional.connection_penalty import ConnectionPenalty

# By how much the curvature grows where it was too small, and shrinks after every step.
GROWTH, SHRINKAGE = 2.0, 0.9
# Differences of the loss below this part of it are rounding.
ROUNDING = 1e-13


class Descent(NamedTuple):
    """Where a descent ended.

    Attributes:
        weight: The weights (M,).
        curvature: Curvature of the last step, for a descent that goes on from here.
        iterations: Number of steps.
    """

    weight: Tensor
    curvature: float
    iterations: int


def accelerated_descent(
    loss: Callable[[Tensor], tuple[Tensor, Tensor]],
    penalty: ConnectionPenalty,
    start: Tensor,
    curvature: float,
    tolerance: float,
    max_iterations: int,
) -> Descent:
    """Minimise ``loss(w) + penalty(w)``.

    The momentum starts again where it leads uphill (O'Donoghue and Candes, 2015), and the length
    of a step follows the curvature that the loss has along it, which is far below its bound.

    Args:
        loss: Gives the loss, convex, and its gradient (M,) at weights (M,).
        penalty: The penalty.
        start: First weights (M,).
        curvature: First guess of the loss's curvature, the inverse of the length of a step.
        tolerance: The largest :meth:`ConnectionPenalty.violation` at which to stop.
        max_iterations: The number of steps at which to stop in any case.
    """
    weight = point = start
    value, gradient = loss(point)
    momentum, iterations = 1.0, 0
    while True:
        iterations += 1
        # The step length: a try that the loss's curvature does not bear out is taken back.
        while True:
            new = penalty.proximal(point - gradient / curvature, curvature)
            new_value, new_gradient = loss(new)
            step = new - point
            bound = curvature * step.square().sum()
            # Near the minimum only gradients can tell: differences of the loss are all rounding.
            excess = new_value - value - gradient @ step - ROUNDING * value.abs()
            if 2 * excess <= bound and (new_gradient - gradient) @ step <= bound:
                break
            curvature *= GROWTH
        slope = penalty.violation(new, new_gradient).max()
        if slope <= tolerance or iterations >= max_iterations:
            break
        if (point - new) @ (new - weight) > 0:
            momentum = 1.0
        last, momentum = momentum, (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        inertia = (last - 1) / momentum
        if inertia:
            point = new + inertia * (new - weight)
            value, gradient = loss(point)
        else:
            point, value, gradient = new, new_value, new_gradient
        weight = new
        curvature *= SHRINKAGE
    return Descent(new, curvature, iterations)
