from types import SimpleNamespace

import pytest
import torch

from mmproto.errors import InputError
from mmproto.models.losses import BinaryCrossEntropyCost, CrossEntropyCost


def test_it_is_the_sum_over_the_classes():
    logits = torch.tensor([[2.0, -1], [0.5, 3]])
    labels = torch.tensor([[True, False], [False, True]])
    right = torch.where(labels, logits.sigmoid(), 1 - logits.sigmoid())
    cost = BinaryCrossEntropyCost()(SimpleNamespace(logits=logits), labels)
    torch.testing.assert_close(cost, -right.log().sum() / 2)


def test_the_cross_entropies_refuse_each_others_labels():
    outputs = SimpleNamespace(logits=torch.zeros(2, 2))
    with pytest.raises(InputError, match='MultiLabelProtoPNetHead'):
        BinaryCrossEntropyCost()(outputs, torch.tensor([0, 1]))
    with pytest.raises(InputError, match='BinaryCrossEntropyCost'):
        CrossEntropyCost()(outputs, torch.eye(2).bool())
