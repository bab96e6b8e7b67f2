from collections.abc import Mapping

import torch
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from mmproto.errors import InputError
from mmproto.functional import BlockSparseWeight
from mmproto.models.last_layers.last_layer import LastLayer

MOST = 2**27  # connections that are written out as a matrix, half a gigabyte


@MODELS.register_module()
class BlockSparseLastLayer(LastLayer):
    """A last layer for thousands of classes: each prototype's weight to its own, and few others.

    .. code:: python

        head=dict(type='ProtoPNetHead', num_classes=10_000, prototypes_per_class=10,
                  last_layer='block_sparse', other_class_weight=0.0,
                  loss=dict(type='ProtoPNetLoss', l1=None))

    The weights to own classes train. All others are one number, ``other_class_weight``, which does
    not: softmax does not see what every class gets alike, so that 1 to the own class and -0.5 to
    others is the same as 1.5 and 0. A solver, such as ``SparseLastLayer``, finds the few that are
    to differ, and then the number is zero. See :class:`mmproto.functional.BlockSparseWeight`, and
    ``docs/many_classes.md`` for what asks for all connections.

    Args:
        prototype_class: Class of each prototype (P,).
        num_classes: Number of classes.
        other_class_weight: The number.
        classless: Whether prototypes have no class, which is refused.

    Raises:
        InputError: If a prototype has no class.
    """

    shared_weight: Tensor
    other_class: Tensor
    other_prototype: Tensor
    other_weight: Tensor
    num_classes: Tensor

    def __init__(
        self,
        prototype_class: Tensor,
        num_classes: int,
        other_class_weight: float,
        classless: bool = False,
    ) -> None:
        super().__init__()
        if classless:
            raise InputError(
                "type='BlockSparseLastLayer' is for prototypes of classes: set "
                "model.head.prototypes_per_class, or model.head.last_layer='dense'"
            )
        self.in_features, self.out_features = len(prototype_class), num_classes
        self.own_weight = nn.Parameter(torch.ones(len(prototype_class)))
        self.register_parameter('bias', None)
        self.register_buffer('shared_weight', torch.tensor(float(other_class_weight)))
        self.register_buffer('other_class', prototype_class.new_zeros(0))
        self.register_buffer('other_prototype', prototype_class.new_zeros(0))
        self.register_buffer('other_weight', torch.zeros(0))
        self.register_buffer('num_classes', torch.tensor(num_classes))  # which no shape says

    def weights(self, prototype_class: Tensor) -> BlockSparseWeight:
        """Return all weights."""
        return BlockSparseWeight(
            own=self.own_weight,
            shared=self.shared_weight,
            classes=self.other_class,
            prototypes=self.other_prototype,
            others=self.other_weight,
            prototype_class=prototype_class,
            num_classes=self.out_features,
        )

    def forward(self, scores: Tensor, prototype_class: Tensor) -> Tensor:
        """See :class:`LastLayer`."""
        points = self.weights(prototype_class).points(scores)
        return points if self.bias is None else points + self.bias

    @property
    def can_be_whole(self) -> bool:
        """See :class:`LastLayer`."""
        return self.in_features * self.out_features <= MOST

    def check_whole(self, reader: str) -> None:
        """See :class:`LastLayer`."""
        if not self.can_be_whole:
            raise InputError(
                f'{reader} looks at every connection of {self.in_features:,} prototypes to '
                f'{self.out_features:,} classes: that is done up to {MOST:,} connections, and '
                'model.head.last_layer does not hold them; see docs/many_classes.md'
            )

    def whole(self, prototype_class: Tensor) -> Tensor:
        """See :class:`LastLayer`."""
        self.check_whole('what was asked for')
        return self.weights(prototype_class).whole()

    @torch.no_grad()
    def set(self, weight: Tensor, prototype_class: Tensor) -> None:
        """See :class:`LastLayer`."""
        self._take(BlockSparseWeight.of(weight.to(self.own_weight), prototype_class))

    @torch.no_grad()
    def keep(self, keep: Tensor, prototype_class: Tensor) -> None:
        """See :class:`LastLayer`."""
        kept = self.weights(prototype_class).keep(keep)
        self.own_weight = nn.Parameter(kept.own)
        self.in_features = len(kept.own)
        self._take(kept)

    def _take(self, weight: BlockSparseWeight) -> None:
        self.own_weight.copy_(weight.own)
        self.shared_weight.copy_(weight.shared)
        self.other_class, self.other_prototype = weight.classes, weight.prototypes
        self.other_weight = weight.others

    def kept(self) -> tuple[Tensor, ...]:
        """See :class:`LastLayer`."""
        others = self.other_class, self.other_prototype, self.other_weight
        return self.own_weight, self.shared_weight, *others

    def of_class(self, label: int, prototype_class: Tensor) -> Tensor:
        """See :class:`LastLayer`."""
        return self.weights(prototype_class).of_class(label)

    def to_own_class(self, prototype_class: Tensor) -> Tensor:
        """See :class:`LastLayer`."""
        return self.own_weight

    def is_used(self, prototype_class: Tensor) -> Tensor:
        """See :class:`LastLayer`."""
        return self.weights(prototype_class).is_used()

    def l1_cost(self, prototype_class: Tensor) -> Tensor:
        """See :class:`LastLayer`."""
        return self.weights(prototype_class).l1_cost()

    def own_class_points(self, scores: Tensor, prototype_class: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`LastLayer`."""
        return self.weights(prototype_class).own_class_points(scores)

    def saved_classes(self, saved: Mapping[str, Tensor]) -> int | None:
        """See :class:`LastLayer`."""
        return int(saved['num_classes']) if 'num_classes' in saved else None

    def fits(self, saved: Mapping[str, Tensor], prototypes: int) -> bool:
        """See :class:`LastLayer`."""
        if not saved.keys() >= self.state_dict().keys() - {'bias'}:
            return False
        sizes = {len(saved[f'other_{name}']) for name in ('class', 'prototype', 'weight')}
        limits = dict(other_class=self.out_features, other_prototype=prototypes)
        return (
            self.saved_classes(saved) == self.out_features
            and len(saved['own_weight']) == prototypes
            and len(sizes) == 1
            and all(
                bool(((saved[name] >= 0) & (saved[name] < limit)).all())
                for name, limit in limits.items()
            )
        )
