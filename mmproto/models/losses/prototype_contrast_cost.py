from typing import ClassVar

from mmpretrain.registry import MODELS
from torch import Tensor

from mmproto.errors import InputError
from mmproto.functional import prototype_contrast_cost
from mmproto.models.losses.loss_term import LossTerm
from mmproto.models.outputs import HeadOutputs


@MODELS.register_module()
class PrototypeContrastCost(LossTerm):
    """Contrast between the prototypes of a class, so that they do not end on one patch.

    It keeps prototypes apart, but does not part those that are equal already: use it from the
    first epoch on.

    .. code:: python

        loss=dict(type='ProtoPNetLoss',
                  contrast=dict(type='PrototypeContrastCost', weight=0.1, temperature=0.1))

    Args:
        weight: See :class:`LossTerm`.
        temperature: Difference of cosines from which on two prototypes begin to be apart.

    Raises:
        InputError: If ``temperature`` is not positive.
    """

    compares_prototypes: ClassVar[bool] = True

    def __init__(self, weight: float = 1.0, temperature: float = 0.1) -> None:
        super().__init__(weight)
        if not temperature > 0:
            raise InputError(f'temperature={temperature}: give a positive number, such as 0.1')
        self.temperature = temperature

    def forward(self, outputs: HeadOutputs, labels: Tensor) -> Tensor:
        """See :func:`mmproto.functional.prototype_contrast_cost`."""
        return prototype_contrast_cost(
            outputs.prototypes, outputs.prototype_class, self.temperature
        )
