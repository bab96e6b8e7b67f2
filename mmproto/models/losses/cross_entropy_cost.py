import torch.nn.functional as F
from mmpretrain.registry import MODELS
from torch import Tensor

from mmproto.errors import InputError
from mmproto.models.losses.loss_term import LossTerm
from mmproto.models.outputs import HeadOutputs


@MODELS.register_module()
class CrossEntropyCost(LossTerm):
    """Mean cross entropy of the logits (section 2.2, CrsEnt).

    .. code:: python

        loss=dict(type='ProtoPNetLoss', cls=dict(type='CrossEntropyCost', label_smoothing=0.1))

    Args:
        weight: See :class:`LossTerm`.
        label_smoothing: Fraction of the target that is spread evenly over all classes.

    Raises:
        InputError: If ``label_smoothing`` is not a fraction.
    """

    def __init__(self, weight: float = 1.0, label_smoothing: float = 0.0) -> None:
        super().__init__(weight)
        if not 0 <= label_smoothing <= 1:
            raise InputError(f'label_smoothing={label_smoothing}: give a fraction from 0 to 1')
        self.label_smoothing = label_smoothing

    def forward(self, outputs: HeadOutputs, labels: Tensor) -> Tensor:
        """See :class:`LossTerm`.

        Raises:
            InputError: If an image has any number of classes.
        """
        if labels.ndim != 1:
            raise InputError(
                'model.head.loss.cls: CrossEntropyCost is for images of one class each; set '
                "model.head.loss.cls.type='BinaryCrossEntropyCost'"
            )
        return F.cross_entropy(outputs.logits, labels, label_smoothing=self.label_smoothing)
