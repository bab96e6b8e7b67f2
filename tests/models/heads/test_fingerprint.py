import copy

import pytest
import torch
from mmpretrain.registry import MODELS

from mmproto.models.heads.fingerprint import fingerprint
from tests.toy import model_config


@pytest.mark.parametrize('name', ['prototype_vectors', 'prototype_class', 'last_layer.weight'])
def test_a_head_is_told_from_another(name):
    head = MODELS.build(model_config()).head
    other = copy.deepcopy(head)
    assert fingerprint(other) == fingerprint(head)
    other.state_dict()[name].flatten()[-1].add_(1)
    assert fingerprint(other) != fingerprint(head)


def test_a_head_is_told_from_one_without_its_last_prototype():
    head = MODELS.build(model_config()).head
    before = fingerprint(head)
    head.prune(torch.arange(len(head.prototype_class)) < 5)
    assert fingerprint(head) != before
