from mmpretrain.registry import MODELS
from torch import Tensor

from mmproto.functional import separation_cost
from mmproto.models.losses.loss_term import LossTerm, average
from mmproto.models.outputs import HeadOutputs


@MODELS.register_module()
class SeparationCost(LossTerm):
    """Negative mean distance to the nearest prototype of another class (section 2.2, Sep).

    .. code:: python

        loss=dict(type='ProtoPNetLoss', separation=dict(type='SeparationCost', weight=0.08))

    Args:
        weight: See :class:`LossTerm`.
    """

    def forward(self, outputs: HeadOutputs, labels: Tensor) -> Tensor:
        """See :func:`mmproto.functional.separation_cost`."""
        return separation_cost(outputs.distances, labels, outputs.prototype_class, average)
