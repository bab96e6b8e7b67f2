from typing import ClassVar

from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmproto.models.outputs import HeadOutputs


class LossTerm(nn.Module):
    """One term of :class:`ProtoPNetLoss`: register a subclass, and name it in the config.

    .. code:: python

        loss=dict(type='ProtoPNetLoss', my_term=dict(type='MyTerm', weight=0.1))

    Args:
        weight: Weight of the term in the total, not negative: the sign belongs to the term.

    Attributes:
        compares_prototypes: Whether the term looks at ``outputs.prototypes``, of which a process
            has a share where they are spread over several.
    """

    compares_prototypes: ClassVar[bool] = False

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, outputs: HeadOutputs, labels: Tensor) -> Tensor:
        """Compute the term, not weighted.

        Args:
            outputs: What the head has computed of N images.
            labels: Class of each image (N,), or which classes each has, bool (N, C).

        Returns:
            A scalar, which training makes smaller.
        """
        raise NotImplementedError


def average(number: Tensor) -> None:
    """Average a number over all processes, in place: for a term whose images do not all count."""
    all_reduce(number, 'mean')
