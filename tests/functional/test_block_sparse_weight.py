import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmproto.functional import BlockSparseWeight, is_used, l1_cost, own_class_points

SEEDS = st.integers(0, 999)
CASES = pytest.mark.parametrize('shared', [-0.5, 0.0])


def matrix(seed, shared):
    """A random matrix of a few listed connections, and the classes of its prototypes."""
    generator = torch.Generator().manual_seed(seed)
    classes = int(torch.randint(2, 6, (), generator=generator))
    prototype_class = torch.randint(0, classes, (7,), generator=generator).sort().values
    weight = torch.full((classes, 7), shared)
    listed = torch.rand(classes, 7, generator=generator) < 0.3
    own = torch.arange(classes)[:, None] == prototype_class
    chosen = (listed & (shared == 0)) | own
    weight[chosen] = torch.randn(int(chosen.sum()), generator=generator)
    weight[:, torch.rand(7, generator=generator) < 0.2] *= abs(shared)  # some are not used
    return weight, prototype_class, torch.randn(3, 7, generator=generator)


@CASES
@given(SEEDS)
def test_all_that_follows_is_that_of_the_matrix(shared, seed):
    weight, prototype_class, scores = matrix(seed, shared)
    sparse = BlockSparseWeight.of(weight, prototype_class)
    assert torch.equal(sparse.whole(), weight)
    for label, row in enumerate(weight):
        assert torch.equal(sparse.of_class(label), row)
    torch.testing.assert_close(sparse.points(scores), scores @ weight.t())
    torch.testing.assert_close(sparse.l1_cost(), l1_cost(weight, prototype_class))
    assert torch.equal(sparse.is_used(), is_used(weight))
    ours = sparse.own_class_points(scores)
    theirs = own_class_points(scores, weight, prototype_class)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@CASES
@given(SEEDS)
def test_dropped_prototypes_go_with_their_connections(shared, seed):
    weight, prototype_class, _ = matrix(seed, shared)
    keep = torch.arange(7) % 3 != seed % 3
    kept = BlockSparseWeight.of(weight, prototype_class).keep(keep)
    assert torch.equal(kept.whole(), weight[:, keep])
    assert torch.equal(kept.prototype_class, prototype_class[keep])


def test_a_number_that_is_shared_is_kept_once():
    prototype_class = torch.arange(300) // 3
    own = torch.arange(100)[:, None] == prototype_class
    sparse = BlockSparseWeight.of(torch.where(own, 1.0, -0.5), prototype_class)
    assert sparse.shared == -0.5
    assert len(sparse.others) == 0
    weight = torch.where(own, 1.0, 0.0)
    weight[4, 7], weight[0, 299] = 0.25, -2.0
    sparse = BlockSparseWeight.of(weight, prototype_class)
    assert sparse.shared == 0
    assert sorted(sparse.others.tolist()) == [-2.0, 0.25]


def test_listed_connections_may_differ_from_a_number_that_is_shared():
    weight = torch.tensor([[0.0, 2, -0.5, 0], [-0.5, -0.5, 1, 0], [-0.5, 3, -0.5, 0]])
    sparse = BlockSparseWeight(
        own=torch.tensor([0.0, 2, 1, 0]),
        shared=torch.tensor(-0.5),
        classes=torch.tensor([0, 1, 2]),
        prototypes=torch.tensor([3, 3, 1]),
        others=torch.tensor([0.0, 0, 3]),
        prototype_class=torch.tensor([0, 0, 1, 2]),
        num_classes=3,
    )
    scores = torch.randn(2, 4)
    assert torch.equal(sparse.whole(), weight)
    torch.testing.assert_close(sparse.points(scores), scores @ weight.t())
    torch.testing.assert_close(sparse.l1_cost(), l1_cost(weight, sparse.prototype_class))
    assert sparse.is_used().tolist() == [True, True, True, False]
    torch.testing.assert_close(
        sparse.own_class_points(scores), own_class_points(scores, weight, sparse.prototype_class)
    )
