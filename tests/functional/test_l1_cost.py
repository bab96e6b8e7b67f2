import torch

from mmproto.functional import l1_cost


def test_it_counts_the_connections_to_other_classes():
    weight = torch.tensor([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])
    assert l1_cost(weight, torch.tensor([0, 0, 1])) == 4 + 5 + 3
    assert l1_cost(weight, torch.tensor([-1, -1, -1])) == 21
