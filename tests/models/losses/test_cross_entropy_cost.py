import copy

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmpretrain.registry import MODELS

from mmproto.errors import InputError
from mmproto.models.losses import CrossEntropyCost
from tests.models.losses.outputs import random_outputs
from tests.toy import ArrayDataset, model_config


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


def test_a_step_of_training_goes_towards_smoothed_targets():
    """Against a step of the same network by hand."""
    torch.manual_seed(0)
    loss = dict(
        type='ProtoPNetLoss',
        cls=dict(label_smoothing=0.3),
        **dict.fromkeys(('cluster', 'separation', 'l1')),
    )
    model = MODELS.build(model_config(loss=loss)).train()
    by_hand = copy.deepcopy(model)
    samples = [ArrayDataset()[number] for number in range(4)]
    batch = {key: [sample[key] for sample in samples] for key in samples[0]}

    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    logged = model.train_step(batch, optimizer)

    data = by_hand.data_preprocessor(batch, training=True)
    logits = by_hand(data['inputs'], mode='tensor')
    labels = torch.cat([sample.gt_label for sample in data['data_samples']])
    target = torch.eye(3)[labels] * 0.7 + 0.1
    cost = -(target * logits.log_softmax(1)).sum(1).mean()
    cost.backward()
    torch.testing.assert_close(logged['loss'], cost.detach())
    for ours, parameter in zip(model.parameters(), by_hand.parameters()):
        moved = parameter if parameter.grad is None else parameter - 0.1 * parameter.grad
        torch.testing.assert_close(ours, moved)
