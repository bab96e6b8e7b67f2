from mmpretrain.registry import MODELS
from torch import Tensor

from mmproto.functional import orthogonality_cost
from mmproto.models.losses.loss_term import LossTerm
from mmproto.models.outputs import HeadOutputs


@MODELS.register_module()
class OrthogonalityCost(LossTerm):
    """Mean squared cosine between the prototypes of a class: they are to be orthogonal.

    As in TesNet (Wang et al., ICCV 2021) and Deformable ProtoPNet (Donnelly et al., CVPR 2022).

    .. code:: python

        loss=dict(type='ProtoPNetLoss', orthogonality=dict(type='OrthogonalityCost', weight=0.1))

    Args:
        weight: See :class:`LossTerm`.
    """

    def forward(self, outputs: HeadOutputs, labels: Tensor) -> Tensor:
        """See :func:`mmproto.functional.orthogonality_cost`."""
        return orthogonality_cost(outputs.prototypes, outputs.prototype_class)
