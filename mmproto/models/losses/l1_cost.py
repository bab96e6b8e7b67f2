from mmpretrain.registry import MODELS
from torch import Tensor

from mmproto.models.losses.loss_term import LossTerm
from mmproto.models.outputs import HeadOutputs


@MODELS.register_module()
class L1Cost(LossTerm):
    """Absolute sum of the connections to classes not a prototype's own (section 2.2).

    .. code:: python

        loss=dict(type='ProtoPNetLoss', l1=dict(type='L1Cost', weight=1e-4))

    Args:
        weight: See :class:`LossTerm`.
    """

    def forward(self, outputs: HeadOutputs, labels: Tensor) -> Tensor:
        """See :func:`mmproto.functional.l1_cost`."""
        return outputs.last_layer.l1_cost(outputs.prototype_class)
