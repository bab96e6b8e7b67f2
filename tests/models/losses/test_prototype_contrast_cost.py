import pytest
import torch

from mmproto.errors import InputError
from mmproto.functional import prototype_contrast_cost
from mmproto.models.losses import PrototypeContrastCost
from tests.models.losses.outputs import random_outputs


def test_the_temperature_reaches_the_equation():
    outputs, labels = random_outputs(), torch.tensor([0, 1, 2, 0])
    cold, warm = (PrototypeContrastCost(temperature=t)(outputs, labels) for t in (0.05, 1.0))
    assert cold == prototype_contrast_cost(outputs.prototypes, outputs.prototype_class, 0.05)
    assert cold < warm


@pytest.mark.parametrize('temperature', [0, -1.0])
def test_another_temperature_is_refused(temperature):
    with pytest.raises(InputError, match=f'temperature={temperature}: give a positive number'):
        PrototypeContrastCost(temperature=temperature)
