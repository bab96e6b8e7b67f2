"""Which predictions cannot change when prototypes move, whichever patches are nearest then."""

from collections.abc import Callable

import torch
from torch import Tensor

# The part of the points at stake that a bound has to exceed: single precision rounds.
ROUNDING = 1e-5
# A radius is found to this part of the largest one.
PRECISION = 1e-6
# No prototype moves as far as this: a radius beyond it is infinite.
FARTHEST = 2.0**40


def moved_interval(distances: Tensor, moves: Tensor) -> tuple[Tensor, Tensor]:
    """Bound the distance of the nearest patch to a prototype that has moved, whereto ever.

    The distance r of an image's nearest patch is 1-Lipschitz in the prototype, so it stays in
    [max(0, r - move), r + move], whichever patch is nearest then.

    Args:
        distances: Distance |z - p| of each image's nearest patch to each prototype (N, P), in a
            metric: not squared.
        moves: How far each prototype moves at most, broadcast to (N, P).

    Returns:
        The least and the greatest distance (N, P).
    """
    return (distances - moves).clamp(min=0), distances + moves


def followed_interval(followed: Tensor, others: Tensor, moves: Tensor) -> tuple[Tensor, Tensor]:
    """Bound the same distance if it is known where the prototype has moved.

    The patch that was the nearest stays a candidate, and no other can have come nearer than by
    the move. Never wider than :func:`moved_interval`.

    Args:
        followed: Distance of the patch that was nearest to the prototype as it is now (N, P).
        others: Distance of every other patch to the prototype as it was, at least (N, P).
        moves: How far each prototype has moved, broadcast to (N, P).

    Returns:
        The least and the greatest distance (N, P).
    """
    return torch.minimum(followed, (others - moves).clamp(min=0)), followed


def logit_leads(scores: Tensor, lowest: Tensor, highest: Tensor, weight: Tensor) -> Tensor:
    """By how much at least the predicted class leads each other class after the move.

    No assumption is made about the last layer: each score counts with the difference of its
    weights to the two classes, at the end of its interval that is worst for that sign.

    Args:
        scores: Scores before the move (N, P), which the prediction follows from.
        lowest: The lowest scores that are possible after it (N, P).
        highest: The highest (N, P).
        weight: The last layer (C, P).

    Returns:
        Lower bounds (N, C) of the differences of the logits, less what single precision may
        round; infinite for the predicted class.
    """
    scores, lowest, highest = scores.double(), lowest.double(), highest.double()
    weight = weight.double()
    largest = torch.maximum(lowest.abs(), highest.abs())
    predicted = (scores @ weight.t()).argmax(dim=1)
    leads = scores.new_empty(len(scores), len(weight))
    for label in predicted.unique().tolist():
        of_class = predicted == label
        difference = (weight[label] - weight).t()
        leads[of_class] = (
            lowest[of_class] @ difference.clamp(min=0)
            + highest[of_class] @ difference.clamp(max=0)
            - ROUNDING * largest[of_class] @ difference.abs()
        )
    return leads.scatter(1, predicted[:, None], float('inf'))


def certify(scores: Tensor, lowest: Tensor, highest: Tensor, weight: Tensor) -> Tensor:
    """Which images keep their prediction, wherever within the interval their scores go.

    The arguments are those of :func:`logit_leads`; ``docs/certificate.md`` has the proof.

    Returns:
        Bool (N,).
    """
    return (logit_leads(scores, lowest, highest, weight) > 0).all(dim=1)


def certified_radius(
    scores: Tensor, interval: Callable[[Tensor], tuple[Tensor, Tensor]], weight: Tensor
) -> Tensor:
    """How far all prototypes may move before the prediction of each image can change.

    Found by bisection, from below: a move by the radius is certified.

    Args:
        scores: Scores before the move (N, P).
        interval: Gives the lowest and the highest scores (N, P) after moves (N, 1).
        weight: The last layer (C, P).

    Returns:
        The radius of each image (N,); its minimum is that of the set of images. Zero where the
        prediction is a tie, infinite where no move can change it.
    """

    def holds(moves: Tensor) -> Tensor:
        return certify(scores, *interval(moves[:, None]), weight)

    safe = scores.new_zeros(len(scores), dtype=torch.float64)
    unsafe = torch.ones_like(safe)
    while (held := holds(unsafe) & (unsafe < FARTHEST)).any():
        safe, unsafe = torch.where(held, unsafe, safe), torch.where(held, 2 * unsafe, unsafe)
    endless = unsafe >= FARTHEST
    while ((unsafe - safe)[~endless] > PRECISION * unsafe[~endless].clamp(min=1)).any():
        middle = (safe + unsafe) / 2
        held = holds(middle)
        safe, unsafe = torch.where(held, middle, safe), torch.where(held, unsafe, middle)
    return safe.masked_fill(endless, float('inf'))
