"""Which predictions cannot change when prototypes move by so much, whatever they move to."""

from collections.abc import Callable

import torch
from torch import Tensor

# The part of the points at stake that a bound has to exceed: single precision rounds.
ROUNDING = 1e-5
# A radius is found to this part of the largest distance.
PRECISION = 1e-6


def score_interval(
    distances: Tensor, moves: Tensor, score: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Return the scores that are possible after the prototypes have moved.

    The distance r of an image's nearest patch is 1-Lipschitz in the prototype, so it stays in
    [max(0, r - move), r + move], whichever patch is nearest then.

    Args:
        distances: Distance |z - p| of each image's nearest patch to each prototype (N, P), not
            squared.
        moves: How far each prototype moves at most, broadcast to (N, P).
        score: Gives the scores of distances; it falls as they grow.

    Returns:
        The lowest and the highest scores (N, P), in double precision.
    """
    distances, moves = distances.double(), moves.double()
    return score(distances + moves), score((distances - moves).clamp(min=0))


def logit_leads(
    distances: Tensor, moves: Tensor, weight: Tensor, score: Callable[[Tensor], Tensor]
) -> Tensor:
    """By how much at least the predicted class leads each other class after the move.

    No assumption is made about the last layer: each score counts with the difference of its
    weights to the two classes, at the end of its interval that is worst for that sign.

    Args:
        distances: See :func:`score_interval` (N, P).
        moves: See :func:`score_interval`.
        weight: The last layer (C, P).
        score: See :func:`score_interval`.

    Returns:
        Lower bounds (N, C) of the differences of the logits, less what single precision may
        round; infinite for the predicted class.
    """
    weight = weight.double()
    lowest, highest = score_interval(distances, moves, score)
    largest = torch.maximum(lowest.abs(), highest.abs())
    predicted = (score(distances.double()) @ weight.t()).argmax(dim=1)
    leads = lowest.new_empty(len(lowest), len(weight))
    for label in predicted.unique().tolist():
        of_class = predicted == label
        difference = (weight[label] - weight).t()
        leads[of_class] = (
            lowest[of_class] @ difference.clamp(min=0)
            + highest[of_class] @ difference.clamp(max=0)
            - ROUNDING * largest[of_class] @ difference.abs()
        )
    return leads.scatter(1, predicted[:, None], float('inf'))


def certify(
    distances: Tensor, moves: Tensor, weight: Tensor, score: Callable[[Tensor], Tensor]
) -> Tensor:
    """Which images keep their prediction, whatever the prototypes become within their moves.

    The arguments are those of :func:`logit_leads`; ``docs/certificate.md`` has the proof.

    Returns:
        Bool (N,).
    """
    return (logit_leads(distances, moves, weight, score) > 0).all(dim=1)


def certified_radius(
    distances: Tensor, weight: Tensor, score: Callable[[Tensor], Tensor]
) -> Tensor:
    """How far all prototypes may move before the prediction of each image can change.

    Found by bisection, from below: a move by the radius is certified.

    Args:
        distances: See :func:`score_interval` (N, P).
        weight: The last layer (C, P).
        score: See :func:`score_interval`.

    Returns:
        The radius of each image (N,); its minimum is that of the set of images. Zero where the
        prediction is a tie.
    """
    scale = distances.double().amax().clamp(min=1)
    safe = distances.new_zeros(len(distances), dtype=torch.float64)
    unsafe = scale.expand_as(safe)
    while (held := certify(distances, unsafe[:, None], weight, score)).any():
        safe, unsafe = torch.where(held, unsafe, safe), torch.where(held, 2 * unsafe, unsafe)
    while (unsafe - safe).max() > PRECISION * scale:
        middle = (safe + unsafe) / 2
        held = certify(distances, middle[:, None], weight, score)
        safe, unsafe = torch.where(held, middle, safe), torch.where(held, unsafe, middle)
    return safe
