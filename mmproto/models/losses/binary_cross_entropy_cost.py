import torch.nn.functional as F
from mmpretrain.registry import MODELS
from torch import Tensor

from mmproto.errors import InputError
from mmproto.models.losses.loss_term import LossTerm
from mmproto.models.outputs import HeadOutputs


@MODELS.register_module()
class BinaryCrossEntropyCost(LossTerm):
    """Binary cross entropy of the logits, summed over the classes, mean over the images.

    The sum, as of MMPretrain's ``CrossEntropyLoss(use_sigmoid=True)``: each class is a problem of
    its own, that does not weigh less the more classes there are.

    .. code:: python

        loss=dict(type='ProtoPNetLoss', cls=dict(type='BinaryCrossEntropyCost', weight=1.0))

    Used by ``configs/protopnet/resnet34_findings_folder.py``.

    Args:
        weight: See :class:`LossTerm`.
    """

    def forward(self, outputs: HeadOutputs, labels: Tensor) -> Tensor:
        """See :class:`LossTerm`.

        Raises:
            InputError: If an image has one class.
        """
        if labels.ndim != 2:
            raise InputError(
                'model.head.loss.cls: BinaryCrossEntropyCost is for images of any number of '
                "classes; set model.head.type='MultiLabelProtoPNetHead', or the cls of one class: "
                "model.head.loss.cls.type='CrossEntropyCost'"
            )
        target = labels.to(outputs.logits)
        costs = F.binary_cross_entropy_with_logits(outputs.logits, target, reduction='none')
        return costs.sum(dim=1).mean()
