"""What a last layer's connections cost: sparse to other classes, near 1 to their own."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mmproto.errors import InputError


@dataclass(frozen=True)
class ConnectionPenalty:
    """``l1_weight |w|`` for connections to other classes, ``l2_weight / 2 (w - 1)^2`` to the own.

    Attributes:
        own: Which connections lead to the prototype's own class, bool (C, P), or (M,) of some.
        l1_weight: The larger, the fewer connections to other classes.
        l2_weight: Without one there is no minimum where the images can be told apart without
            error: the larger the weights, the smaller the cross entropy.
        non_negative: Whether no connection may be below zero.

    Raises:
        InputError: If a weight is not positive.
    """

    own: Tensor
    l1_weight: float
    l2_weight: float
    non_negative: bool = False

    def __post_init__(self) -> None:
        for name in ('l1_weight', 'l2_weight'):
            if not 0 < getattr(self, name) < float('inf'):
                raise InputError(f'{name}={getattr(self, name)}: give a positive number')

    @property
    def price(self) -> Tensor:
        """Weight of each connection's absolute value."""
        return self.l1_weight * (~self.own).double()

    @property
    def pull(self) -> Tensor:
        """Weight of each connection's squared distance from 1."""
        return self.l2_weight * self.own.double()

    def __call__(self, weight: Tensor) -> Tensor:
        """Return the penalty of weights of the shape of ``own``, summed."""
        return (self.price * weight.abs() + self.pull / 2 * (weight - 1).square()).sum()

    def proximal(self, weight: Tensor, curvature: float) -> Tensor:
        """Minimise ``penalty(w) + curvature / 2 |w - weight|^2``; zeros are exactly zero."""
        target = curvature * weight + self.pull
        beyond = (target - self.price).clamp(min=0)
        if not self.non_negative:
            beyond -= (-target - self.price).clamp(min=0)
        return beyond / (curvature + self.pull)

    def violation(self, weight: Tensor, gradient: Tensor) -> Tensor:
        """How far each connection is from optimal, as a slope.

        The distance of zero from the subdifferential of loss and penalty (with ``non_negative``,
        of the slopes that may be followed): zero for all connections at the minimum, and nowhere
        else.

        Args:
            weight: The weights.
            gradient: Derivative of the loss by each of them.
        """
        slope = gradient + self.pull * (weight - 1)
        moving = (slope + self.price * weight.sign()).abs()
        resting = (self.worth(slope) - self.price).clamp(min=0)
        return torch.where(weight == 0, resting, moving)

    def worth(self, slope: Tensor) -> Tensor:
        """Return the price from which on a connection of zero, with this slope, stays zero."""
        return (-slope).clamp(min=0) if self.non_negative else slope.abs()


def own_connections(prototype_class: Tensor, num_classes: int) -> Tensor:
    """Which connections lead to the prototype's own class.

    Args:
        prototype_class: Class of each prototype (P,), -1 for none: every class is another.
        num_classes: Number of classes C.

    Returns:
        Bool (C, P).
    """
    return torch.arange(num_classes, device=prototype_class.device)[:, None] == prototype_class
