"""How many predictions a push was certain not to change, and how many it has not changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.dist import all_gather_object
from mmpretrain.structures import DataSample
from torch import Tensor

from mmproto.models.heads import ASSUMPTIONS, MovedPrototypes, MoveEffect, ProtoPNetHead


class MoveWatcher:
    """Watches a pass over a data set and notes what moving the prototypes does to its images.

    Nothing is kept but some bits an image. :func:`mmproto.engine.validation.validate` takes one.

    Args:
        head: The head before the move.
        prototypes: What its prototypes become (P, D, h, w).
        with_radius: Whether to note the radius of each image as well.
    """

    def __init__(self, head: ProtoPNetHead, prototypes: Tensor, with_radius: bool = False) -> None:
        self.moved = MovedPrototypes(head, prototypes)
        self.with_radius = with_radius
        self._images: list[int] = []
        self._effects: list[MoveEffect] = []

    def __call__(
        self, feats: Sequence[Tensor], samples: list[DataSample], images: list[int]
    ) -> None:
        """Note a batch.

        Args:
            feats: What the head is given.
            samples: The samples of the batch, with their labels.
            images: Indices of its images in the data set.
        """
        labels = self.moved.head.true_labels(samples)
        effect = self.moved.effect(feats, labels.to(feats[-1].device), self.with_radius)
        self._effects.append(effect.apply(Tensor.cpu))
        self._images += images

    def effect(self) -> MoveEffect:
        """Return that of all images in the order of the data set, each once, on every process."""
        shares = all_gather_object((self._images, self._effects))
        images = torch.tensor([image for share, _ in shares for image in share])
        effect = MoveEffect.concatenate([part for _, parts in shares for part in parts])
        # Samplers give some images to several processes.
        order = images.argsort(stable=True)
        first = torch.ones_like(order, dtype=torch.bool)
        first[1:] = images[order][1:] != images[order][:-1]
        return effect.apply(lambda values: values[order[first]])


@dataclass(frozen=True)
class PushCertificate:
    """Of how many images the predictions were certain to stay, and of how many they have.

    Attributes:
        images: Number of images.
        unchanged: Number of those whose prediction the push has not changed.
        certified: Number of those of which that was certain, see :class:`MoveEffect`; None if the
            similarity has no :class:`Metric`.
        by_moves: Number of those of which the moves alone made it certain; None likewise.
        by_theorem: Number of those that the paper's theorem certifies; None if the similarity is
            not the one that it is about.
        assumptions: Number of images of which each of its assumptions holds; None likewise.
    """

    images: int
    unchanged: int
    certified: int | None
    by_moves: int | None
    by_theorem: int | None
    assumptions: dict[str, int] | None

    @classmethod
    def of(cls, effect: MoveEffect) -> 'PushCertificate':
        """Count the images."""
        holds = effect.assumptions
        return cls(
            images=len(effect.before),
            unchanged=int(effect.unchanged.sum()),
            certified=_count(effect.certified),
            by_moves=_count(effect.by_moves),
            by_theorem=_count(effect.by_theorem),
            assumptions=None
            if holds is None
            else dict(zip(ASSUMPTIONS, holds.sum(dim=0).tolist())),
        )

    def percentages(self) -> dict[str, float]:
        """Return what to plot, by name."""
        counts: dict[str, Any] = vars(self)
        names = ('unchanged', 'certified', 'by_moves', 'by_theorem')
        return {
            name: 100 * counts[name] / self.images for name in names if counts[name] is not None
        }

    def __str__(self) -> str:
        percent = {name: f'{value:.1f} %' for name, value in self.percentages().items()}
        kept = f'{percent["unchanged"]} of {self.images} images keep their prediction'
        if self.certified is None:
            return f'{kept}; the similarity names no metric, so none is certified'
        certain = (
            f'{percent["certified"]} were certified to ({percent["by_moves"]} by the sizes of the '
            'moves alone'
        )
        if self.assumptions is None:
            return f'{kept}; {certain})'
        holds = ', '.join(f'{name} for {count}' for name, count in self.assumptions.items())
        return (
            f'{kept}; {certain}, {percent["by_theorem"]} by the theorem of the paper, whose '
            f'assumptions hold: {holds})'
        )


def _count(holds: Tensor | None) -> int | None:
    return None if holds is None else int(holds.sum())
