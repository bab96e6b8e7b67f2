import pytest
import torch
from torch import nn

from mmproto.errors import InputError
from mmproto.models.loaded_weights import check_finite


@pytest.mark.parametrize('number', [float('nan'), float('inf'), -3e38])
@pytest.mark.parametrize('name', ['0.weight', '1.running_var'])
def test_a_number_that_nothing_can_be_computed_with_is_named(name, number):
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    check_finite(model, 'good.pth')
    model.state_dict()[name].view(-1)[1] = number
    with pytest.raises(InputError, match=rf'^odd\.pth has weights .* too large \({name}\)'):
        check_finite(model, 'odd.pth')


def test_half_precision_may_go_to_its_end():
    model = nn.Linear(200, 300).half()
    torch.nn.init.constant_(model.weight, 6e4)
    check_finite(model, 'good.pth')
