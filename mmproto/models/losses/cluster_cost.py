from mmpretrain.registry import MODELS
from torch import Tensor

from mmproto.functional import cluster_cost
from mmproto.models.losses.loss_term import LossTerm, average
from mmproto.models.outputs import HeadOutputs


@MODELS.register_module()
class ClusterCost(LossTerm):
    """Mean distance of an image to the nearest prototype of its class (section 2.2, Clst).

    .. code:: python

        loss=dict(type='ProtoPNetLoss', cluster=dict(type='ClusterCost', weight=0.8))

    Args:
        weight: See :class:`LossTerm`.
    """

    def forward(self, outputs: HeadOutputs, labels: Tensor) -> Tensor:
        """See :func:`mmproto.functional.cluster_cost`."""
        return cluster_cost(outputs.distances, labels, outputs.prototype_class, average)
