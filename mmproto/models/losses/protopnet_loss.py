import torch.nn.functional as F
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from mmproto.functional import cluster_cost, l1_cost, separation_cost


@MODELS.register_module()
class ProtoPNetLoss(nn.Module):
    """Cross entropy, cluster, separation and L1 cost (section 2.2), each already weighted.

    .. code:: python

        loss=dict(type='ProtoPNetLoss', cross_entropy_weight=1.0, cluster_weight=0.8,
                  separation_weight=-0.08, l1_weight=1e-4)

    Args:
        cross_entropy_weight: Weight of the cross entropy.
        cluster_weight: Weight of the distance to the nearest prototype of the own class.
        separation_weight: Weight of the distance to the nearest one of another class; negative,
            since it is to grow.
        l1_weight: Weight of the absolute sum of the connections to other classes.
    """

    def __init__(
        self,
        cross_entropy_weight: float = 1.0,
        cluster_weight: float = 0.8,
        separation_weight: float = -0.08,
        l1_weight: float = 1e-4,
    ) -> None:
        super().__init__()
        self.cross_entropy_weight = cross_entropy_weight
        self.cluster_weight = cluster_weight
        self.separation_weight = separation_weight
        self.l1_weight = l1_weight

    def forward(
        self,
        logits: Tensor,
        labels: Tensor,
        distances: Tensor,
        prototype_class: Tensor,
        last_layer_weight: Tensor,
    ) -> dict[str, Tensor]:
        """Compute the terms of the loss.

        Args:
            logits: (N, num_classes).
            labels: (N,).
            distances: Distance of each image's nearest patch to each prototype (N, P).
            prototype_class: (P,), -1 for a prototype without a class.
            last_layer_weight: (num_classes, P).

        Returns:
            ``loss_cls``, ``loss_cluster``, ``loss_separation`` and ``loss_l1``: their sum is the
            total.
        """
        cluster = cluster_cost(distances, labels, prototype_class)
        separation = separation_cost(distances, labels, prototype_class)
        return dict(
            loss_cls=self.cross_entropy_weight * F.cross_entropy(logits, labels),
            loss_cluster=self.cluster_weight * cluster,
            loss_separation=self.separation_weight * separation,
            loss_l1=self.l1_weight * l1_cost(last_layer_weight, prototype_class),
        )
