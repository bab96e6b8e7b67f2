"""Theorem 2.1 of the paper: when a push changes no prediction (supplement, section S2)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mmproto.functional.connection_penalty import own_connections
from mmproto.functional.log_similarity import EPSILON

# The theorem asks for a delta above 0 and below 1.
LEAST_DELTA = 1e-12


@dataclass(frozen=True)
class ProjectionTheorem:
    """What the theorem says of N images, and which of its assumptions hold.

    Attributes:
        correct: Images whose prediction is right before the push, as the theorem presumes (N,).
        same_patches: Images whose nearest patch to each prototype stays so, A1 (N,).
        small_moves: Images for which there is a delta, A2 (N,).
        equal_counts: Whether all classes have the same number m' of prototypes, A3.
        plain_weights: Whether the last layer is 1 to the own class and 0 to others, A4.
        change: By how much a logit changes at most, m' log((1 + delta)(2 - delta)), for the best
            delta (N,); infinite where there is none.
        lead: By how much the first logit leads the second before the push (N,).
    """

    correct: Tensor
    same_patches: Tensor
    small_moves: Tensor
    equal_counts: bool
    plain_weights: bool
    change: Tensor
    lead: Tensor

    @property
    def certified(self) -> Tensor:
        """Images whose prediction the theorem certifies (N,)."""
        of_image = self.correct & self.same_patches & self.small_moves
        holds = self.equal_counts and self.plain_weights
        return of_image & (self.lead >= 2 * self.change) & holds


def projection_theorem(
    distances: Tensor,
    moves: Tensor,
    logits: Tensor,
    labels: Tensor,
    same_patch: Tensor,
    weight: Tensor,
    prototype_class: Tensor,
    epsilon: float = EPSILON,
) -> ProjectionTheorem:
    """Check the theorem's assumptions for a push, one by one.

    Args:
        distances: Distance |z - p| of each image's nearest patch to each prototype before the
            push (N, P), not squared.
        moves: How far each prototype has moved (P,).
        logits: Logits before the push (N, C).
        labels: Class of each image (N,).
        same_patch: Whether an image's nearest patch to a prototype is the same one before and
            after the push (N, P).
        weight: The last layer (C, P).
        prototype_class: Class of each prototype (P,).
        epsilon: That of the log similarity, the only one that the theorem is about.
    """
    distances, moves, logits = distances.double(), moves.double(), logits.double()
    own = own_connections(prototype_class, len(weight))
    counts = own.sum(dim=1)
    least, most = _deltas(distances, moves, own[labels], epsilon)
    # (1 + delta)(2 - delta) is least at one of the ends.
    factor = torch.minimum((1 + least) * (2 - least), (1 + most) * (2 - most))
    small_moves = least <= most
    first, second = logits.topk(2, dim=1).values.unbind(dim=1)
    return ProjectionTheorem(
        correct=logits.argmax(dim=1) == labels,
        same_patches=same_patch.all(dim=1),
        small_moves=small_moves,
        equal_counts=bool((counts == counts[0]).all() and (prototype_class >= 0).all()),
        plain_weights=bool((weight == own).all()),
        change=torch.where(small_moves, counts.max() * factor.log(), math.inf),
        lead=first - second,
    )


def _deltas(distances: Tensor, moves: Tensor, own: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """Return the least and the greatest delta (N,) that A2 allows; none if the least is more.

    A2a, other classes: move <= min(sqrt(1 + delta) - 1, 1 - 1 / sqrt(2 - delta)) r - sqrt(eps).
    A2b, the own class: move <= (sqrt(1 + delta) - 1) r, and r <= sqrt(1 - delta).
    """
    needed = torch.where(own, moves, moves + math.sqrt(epsilon)) / distances
    needed = needed.nan_to_num(nan=0.0, posinf=math.inf)  # 0 / 0: on the patch, and not moved
    least = ((1 + needed).square() - 1).amax(dim=1)
    by_others = 2 - 1 / (1 - needed.masked_fill(own, 0)).square()
    by_others = by_others.masked_fill(~own & (needed >= 1), -math.inf)
    by_own = (1 - distances.square()).masked_fill(~own, 1)
    most = torch.minimum(by_others, by_own).amin(dim=1)
    return least.clamp(min=LEAST_DELTA), most.clamp(max=1 - LEAST_DELTA)
