import pytest
import torch

from mmproto.errors import InputError
from mmproto.models.losses import CrossEntropyCost
from tests.models.losses.outputs import random_outputs


@pytest.mark.parametrize('smoothing', [0.0, 0.1, 1.0])
def test_label_smoothing_spreads_the_target(smoothing):
    outputs, labels = random_outputs(), torch.tensor([0, 1, 2, 0])
    target = torch.eye(3)[labels] * (1 - smoothing) + smoothing / 3
    expected = -(target * outputs.logits.log_softmax(1)).sum(1).mean()
    cost = CrossEntropyCost(label_smoothing=smoothing)(outputs, labels)
    torch.testing.assert_close(cost, expected)


@pytest.mark.parametrize('smoothing', [-0.1, 1.5])
def test_another_share_is_refused(smoothing):
    with pytest.raises(InputError, match=f'label_smoothing={smoothing}: give a fraction'):
        CrossEntropyCost(label_smoothing=smoothing)
