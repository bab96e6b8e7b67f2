from collections.abc import Mapping

import torch
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from mmproto.functional import own_connections
from mmproto.models.last_layers.last_layer import LastLayer


@MODELS.register_module()
class DenseLastLayer(LastLayer, nn.Linear):
    """The paper's last layer: one weight for each prototype and class (section 2.1).

    .. code:: python

        head=dict(type='ProtoPNetHead', last_layer='dense', ...)  # the default

    Args:
        prototype_class: Class of each prototype (P,), -1 for none.
        num_classes: Number of classes.
        other_class_weight: First weight to the classes that are not a prototype's own, to which
            it has the weight 1.
        classless: Whether prototypes have no class: all weights are random then.
    """

    def __init__(
        self,
        prototype_class: Tensor,
        num_classes: int,
        other_class_weight: float,
        classless: bool = False,
    ) -> None:
        super().__init__(len(prototype_class), num_classes, bias=False)
        if not classless:
            own = own_connections(prototype_class, num_classes)
            self.set(torch.where(own, 1.0, other_class_weight), prototype_class)

    def forward(self, scores: Tensor, prototype_class: Tensor | None = None) -> Tensor:
        """See :class:`LastLayer`; whose class a prototype is does not matter."""
        return nn.Linear.forward(self, scores)

    def whole(self, prototype_class: Tensor) -> Tensor:
        """See :class:`LastLayer`."""
        return self.weight

    @torch.no_grad()
    def set(self, weight: Tensor, prototype_class: Tensor) -> None:
        """See :class:`LastLayer`."""
        self.weight.copy_(weight)

    def keep(self, keep: Tensor, prototype_class: Tensor) -> None:
        """See :class:`LastLayer`."""
        self.weight = nn.Parameter(self.weight.detach()[:, keep])
        self.in_features = self.weight.shape[1]

    def kept(self) -> tuple[Tensor, ...]:
        """See :class:`LastLayer`."""
        return (self.weight,)

    def saved_classes(self, saved: Mapping[str, Tensor]) -> int | None:
        """See :class:`LastLayer`."""
        return len(saved['weight']) if 'weight' in saved else None

    def fits(self, saved: Mapping[str, Tensor], prototypes: int) -> bool:
        """See :class:`LastLayer`."""
        return 'weight' in saved and tuple(saved['weight'].shape) == (self.out_features, prototypes)
