import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmproto.functional import typical_points


def blobs(count=4, size=30):
    """Points around far centres, a point of each blob for every owner."""
    generator = torch.Generator().manual_seed(1)
    centres = 20 * torch.randn(count, 5, generator=generator)
    points = centres[:, None] + torch.randn(count, size, 5, generator=generator)
    return points, torch.arange(size).repeat(count)


def test_each_cluster_has_its_point_near_the_centre():
    points, owners = blobs()
    chosen = typical_points(points.flatten(0, 1), owners, 4)
    assert sorted((chosen // 30).tolist()) == [0, 1, 2, 3]
    for number in chosen.tolist():
        blob = points[number // 30]
        distances = (blob - blob.mean(dim=0)).norm(dim=1)
        assert distances[number % 30] <= distances.sort().values[3]  # owners differ


def test_a_cluster_that_one_owner_fills_leaves_the_others_theirs():
    points = torch.tensor([[0.0], [0.1], [0.2], [9.0], [9.1]])
    chosen = typical_points(points, torch.tensor([0, 0, 0, 0, 1]), 2)
    assert sorted(chosen.tolist())[1] == 4  # of two owners, and not twice of the first


@given(
    points=st.lists(st.integers(-5, 5), min_size=1, max_size=20),
    count=st.integers(1, 20),
    owners=st.integers(1, 5),
)
def test_points_are_different_and_owners_take_turns(points, count, owners):
    count = min(count, len(points))
    owner = torch.arange(len(points)) % owners
    chosen = typical_points(torch.tensor(points)[:, None].float(), owner, count)
    assert len(set(chosen.tolist())) == count
    given_by = owner[chosen].bincount(minlength=min(owners, len(points)))
    room = owner.bincount()
    for one, other in zip(*torch.cartesian_prod(*[torch.arange(len(room))] * 2).t().tolist()):
        if given_by[one] > given_by[other] + 1:
            assert given_by[other] == room[other]


@pytest.mark.parametrize('seed', [0, 1])
def test_the_seed_alone_decides(seed):
    points, owners = blobs()
    same = [typical_points(points.flatten(0, 1), owners, 7, seed) for _ in range(2)]
    assert torch.equal(*same)
