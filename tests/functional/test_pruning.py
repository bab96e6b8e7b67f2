import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmpretrain.registry import MODELS

from mmproto.errors import InputError
from mmproto.functional import (
    all_but,
    emptied_classes,
    is_used,
    keep_last_of_class,
    merge_duplicates,
)
from tests.functional.prototypes_of_classes import prototypes_of_classes
from tests.toy import model_config


def pruned(model, keep):
    model = copy.deepcopy(model)
    model.head.prune(keep)
    return model


def logits(model):
    images = torch.rand(20, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return model(images)


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = MODELS.build(model_config(prototypes_per_class=4)).eval()
    with torch.no_grad():
        model.head.last_layer.weight.normal_()
    return model


def test_one_of_doubles_scores_what_they_scored_together(model):
    head = model.head
    with torch.no_grad():
        vectors = head.prototype_vectors
        vectors[1], vectors[3], vectors[6] = vectors[0], vectors[0], vectors[4]
        vectors[8] = vectors[0]  # of another class: not merged
    before = logits(model)
    keep, weight = merge_duplicates(
        head.prototype_vectors.data, head.prototype_class, head.last_layer.weight.data
    )
    assert (~keep).nonzero().flatten().tolist() == [1, 3, 6]
    head.last_layer.weight.data = weight
    after = logits(pruned(model, keep))
    torch.testing.assert_close(after, before, rtol=0, atol=1e-5)


@settings(deadline=None, max_examples=60)
@given(prototypes_of_classes(), st.integers(0, 1000))
def test_doubles_equal_a_plain_loop(prototypes, seed):
    vectors, classes = prototypes[0].detach(), prototypes[1]
    weight = torch.randn(4, len(classes), generator=torch.Generator().manual_seed(seed))
    first = [
        next(
            i
            for i in range(j + 1)
            if torch.equal(vectors[i], vectors[j]) and classes[i] == classes[j]
        )
        for j in range(len(classes))
    ]
    expected = torch.zeros_like(weight)
    for j, i in enumerate(first):
        expected[:, i] += weight[:, j]
    keep, merged = merge_duplicates(vectors, classes, weight)
    assert keep.tolist() == [i == j for j, i in enumerate(first)]
    torch.testing.assert_close(merged, expected)


def test_without_those_that_no_class_counts_the_logits_are_the_same(model):
    weight = model.head.last_layer.weight.data
    weight[:, [2, 7]] = 0
    weight[1:, 5] = 0
    keep = is_used(weight)
    assert (~keep).nonzero().flatten().tolist() == [2, 7]
    torch.testing.assert_close(logits(pruned(model, keep)), logits(model), rtol=0, atol=1e-5)


def test_a_list_names_those_that_go():
    assert all_but([3, 0, 3], 5).tolist() == [False, True, True, False, True]
    assert all_but([], 2).tolist() == [True, True]
    with pytest.raises(InputError, match=r'^there are no prototypes \[-1, 5\]: .* 0 to 4$'):
        all_but([5, 2, -1], 5)


def test_a_class_keeps_its_best_prototype():
    classes = torch.tensor([0, 0, 1, 2, 2, 2, -1])
    keep = torch.tensor([True, False, False, False, False, False, False])
    assert emptied_classes(keep, classes) == [1, 2]
    merit = torch.tensor([9, 9, -1, 2, 4, 4, 9])
    kept = keep_last_of_class(keep, classes, merit)
    assert kept.nonzero().flatten().tolist() == [0, 2, 4]
    assert emptied_classes(kept, classes) == []
    assert keep.sum() == 1  # what was given stays as it is
