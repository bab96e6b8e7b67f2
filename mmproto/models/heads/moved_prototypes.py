"""Which predictions of a head can change when its prototypes move, see ``docs/certificate.md``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from mmproto.functional import (
    certified_radius,
    certify,
    followed_interval,
    moved_interval,
    projection_theorem,
)
from mmproto.models.heads.protopnet_head import ProtoPNetHead
from mmproto.models.outputs import HeadOutputs
from mmproto.models.similarities import FollowedPatches, LogSimilarity, Metric

# Of the paper's theorem; in the columns of MoveEffect.assumptions.
ASSUMPTIONS = ('correct', 'A1', 'A2', 'A3', 'A4')


@dataclass(frozen=True)
class MoveEffect:
    """What moving the prototypes does to the predictions of N images.

    Attributes:
        before: Predicted class before the move (N,).
        after: The same after it (N,).
        by_moves: Whether the distances before, the sizes of the moves and the weights alone say
            that the prediction stays (N,); None if the similarity has no :class:`Metric`.
        certified: Whether it is said if the patches that were nearest, and no others, are
            compared with the moved prototypes as well (N,); None likewise.
        radius: How far all prototypes may move by the rule of ``by_moves`` (N,); None likewise.
        by_theorem: Whether the paper's theorem says so (N,); None if the similarity is not the
            one that it is about.
        assumptions: Which of its ``ASSUMPTIONS`` hold (N, 5); None likewise.
    """

    before: Tensor
    after: Tensor
    by_moves: Tensor | None
    certified: Tensor | None
    radius: Tensor | None
    by_theorem: Tensor | None
    assumptions: Tensor | None

    @property
    def unchanged(self) -> Tensor:
        """Whether the prediction has in fact stayed (N,)."""
        return self.before == self.after

    def apply(self, function: Callable[[Tensor], Tensor]) -> 'MoveEffect':
        """Apply a function to all that is known."""
        values: dict[str, Any] = {
            name: value if value is None else function(value) for name, value in vars(self).items()
        }
        return MoveEffect(**values)

    @staticmethod
    def concatenate(parts: Sequence['MoveEffect']) -> 'MoveEffect':
        """Put the images of several batches one after another."""
        values: dict[str, Any] = {}
        for field in fields(MoveEffect):
            column = [getattr(part, field.name) for part in parts]
            values[field.name] = None if column[0] is None else torch.cat(column)
        return MoveEffect(**values)


class MovedPrototypes:
    """A head's prototypes and what they become.

    .. code:: python

        moved = MovedPrototypes(model.head, nearest.vector)  # before model.head.push(nearest)
        effect = moved.effect(model.extract_feat(inputs), labels)

    Args:
        head: The head before the move; it stays as it is.
        prototypes: What its prototypes become (P, D, h, w), as patches are compared with them.

    Attributes:
        metric: That of the similarity, None if it has none.
        moves: How far each prototype moves in it (P,), in double precision; None likewise.
    """

    @torch.no_grad()
    def __init__(self, head: ProtoPNetHead, prototypes: Tensor) -> None:
        self.head = head
        self.prototypes = prototypes.to(head.prototype_vectors)
        self.metric: Metric | None = head.similarity.metric
        self.moves: Tensor | None = None
        if self.metric is not None:
            old, new = head.prototype_vectors.flatten(1), self.prototypes.flatten(1)
            self.moves = self.metric.of_distance(head.similarity.distance(new, old).double())

    @torch.no_grad()
    def effect(
        self, feats: Sequence[Tensor], labels: Tensor, with_radius: bool = False
    ) -> MoveEffect:
        """Compare the predictions before and after, and say which were certain to stay.

        Args:
            feats: The neck's maps of N images.
            labels: Their classes (N,).
            with_radius: Whether to compute the radius, which takes longer.
        """
        before = self.head.outputs(feats)
        after = self.head.outputs(feats, prototypes=self.prototypes)
        by_moves = certified = radius = by_theorem = assumptions = None
        if self.metric is not None and self.moves is not None:
            patches = self.head.similarity.follow(feats[-1], before.prototypes, self.prototypes)
            intervals = _ScoreIntervals(self.head, self.metric, patches)
            scores, weight = before.scores, before.last_layer_weight
            by_moves = certify(scores, *intervals.by_moves(self.moves), weight)
            certified = by_moves | certify(scores, *intervals.by_following(self.moves), weight)
            if with_radius:
                radius = certified_radius(scores, intervals.by_moves, weight)
            if isinstance(self.head.similarity, LogSimilarity):
                epsilon = self.head.similarity.epsilon
                by_theorem, assumptions = _theorem(before, after, self.moves, labels, epsilon)
        return MoveEffect(
            before=before.logits.argmax(dim=1),
            after=after.logits.argmax(dim=1),
            by_moves=by_moves,
            certified=certified,
            radius=radius,
            by_theorem=by_theorem,
            assumptions=assumptions,
        )


def _theorem(
    before: HeadOutputs, after: HeadOutputs, moves: Tensor, labels: Tensor, epsilon: float
) -> tuple[Tensor, Tensor]:
    """Return what the theorem certifies (N,), and which of its assumptions hold (N, 5)."""
    theorem = projection_theorem(
        distances=before.distances.double().sqrt(),
        moves=moves,
        logits=before.logits,
        labels=labels,
        same_patch=(before.locations == after.locations).all(dim=-1),
        weight=before.last_layer_weight,
        prototype_class=before.prototype_class,
        epsilon=epsilon,
    )
    columns = [
        theorem.correct,
        theorem.same_patches,
        theorem.small_moves,
        torch.full_like(theorem.correct, theorem.equal_counts),
        torch.full_like(theorem.correct, theorem.plain_weights),
    ]
    return theorem.certified, torch.stack(columns, dim=1)


class _ScoreIntervals:
    """The scores that are possible after a move, of a batch."""

    def __init__(self, head: ProtoPNetHead, metric: Metric, patches: FollowedPatches) -> None:
        self.head = head
        self.metric = metric
        self.rounding = patches.rounding.double()
        self.nearest, self.others, self.followed = (
            metric.of_distance(distances.double().clamp(min=0))
            for distances in (patches.nearest, patches.others, patches.followed)
        )

    def by_moves(self, moves: Tensor) -> tuple[Tensor, Tensor]:
        return self._scores(*moved_interval(self.nearest, moves))

    def by_following(self, moves: Tensor) -> tuple[Tensor, Tensor]:
        return self._scores(*followed_interval(self.followed, self.others, moves))

    def _scores(self, least: Tensor, most: Tensor) -> tuple[Tensor, Tensor]:
        """Return the lowest and the highest score of an interval of the metric."""
        least, most = self.metric.to_distance(least), self.metric.to_distance(most)
        return (
            self.head.score_maps(most + self.rounding),
            self.head.score_maps((least - self.rounding).clamp(min=0)),
        )
