import os

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mmproto.functional import ScoreLoss


def data(seed, images=11, classes=3, prototypes=5):
    generator = torch.Generator().manual_seed(seed)
    scores = 3 * torch.rand(images, prototypes, generator=generator)
    labels = torch.randint(classes, (images,), generator=generator)
    weight = torch.randn(classes, prototypes, generator=generator, dtype=torch.float64)
    weight[torch.rand(classes, prototypes, generator=generator) < 0.5] = 0
    return scores, labels, weight


def assert_close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-14)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000), st.sampled_from([None, 1, 4, 11, 50]))
def test_equals_autograd_whatever_the_blocks(seed, block_size):
    scores, labels, weight = data(seed)
    dense = weight.clone().requires_grad_()
    expected = F.cross_entropy(scores.double() @ dense.t(), labels)
    expected.backward()
    loss = ScoreLoss(scores, labels, 3, block_size)
    value, gradient = loss.everywhere(weight)
    assert_close(value, expected.detach())
    assert_close(gradient, dense.grad)
    connected = weight != 0
    connected[0, 0] = True
    value, some = loss(connected, weight[connected])
    assert_close(value, expected.detach())
    assert_close(some, dense.grad[connected])


@pytest.mark.parametrize('block_size', [None, 4])
def test_some_rows_alone(block_size):
    scores, labels, weight = data(0)
    rows = torch.tensor([0, 2, 3, 7, 8, 9])
    expected = ScoreLoss(scores[rows], labels[rows], 3).everywhere(weight)
    loss = ScoreLoss(scores, labels, 3, block_size, rows=rows)
    assert loss.images == 6
    for actual, whole in zip(loss.everywhere(weight), expected):
        assert_close(actual, whole)


def test_scores_may_lie_in_a_file(tmp_path):
    scores, labels, weight = data(0)
    scores.numpy().tofile(tmp_path / 'scores')
    expected = ScoreLoss(scores, labels, 3).everywhere(weight)
    by_torch = torch.from_file(str(tmp_path / 'scores'), size=scores.numel()).view_as(scores)
    by_numpy = np.memmap(tmp_path / 'scores', np.float32, 'r+', shape=tuple(scores.shape))
    for mapped in (by_torch, torch.from_numpy(by_numpy)):
        for actual, whole in zip(ScoreLoss(mapped, labels, 3, 4).everywhere(weight), expected):
            assert_close(actual, whole)


def run_process(rank, world_size, folder):
    """One of several processes; the last has no image."""
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT='29641')
    torch.distributed.init_process_group('gloo', rank=rank, world_size=world_size)
    scores, labels, weight = data(0)
    mine = slice(0, 7) if rank == 0 else slice(7, 11) if rank == 1 else slice(0, 0)
    loss = ScoreLoss(scores[mine], labels[mine], 3, all_reduce=torch.distributed.all_reduce)
    torch.save((int(loss.images), *loss.everywhere(weight)), f'{folder}/{rank}.pth')
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_processes_sum_their_shares(tmp_path):
    scores, labels, weight = data(0)
    mp.spawn(run_process, (3, str(tmp_path)), nprocs=3)
    first, *others = (torch.load(tmp_path / f'{rank}.pth') for rank in range(3))
    assert first[0] == 11
    for actual, whole in zip(first[1:], ScoreLoss(scores, labels, 3).everywhere(weight)):
        assert_close(actual, whole)
    for other in others:
        assert all(torch.equal(a, b) for a, b in zip(first[1:], other[1:]))
