"""Processes that hold a share of the prototypes each compute what one with all of them does."""

import pytest
import torch
import torch.multiprocessing as mp
from mmpretrain.registry import MODELS
from torch import distributed

from mmproto.models.heads.prototype_shares import PrototypeShares
from tests.toy import model_config

IMAGES = 8
HEADS = [
    dict(last_layer='block_sparse', prototypes_per_class=[3, 0, 2]),  # 5 over 2 and 4 processes
    dict(prototype_size=2),
    dict(similarity='cosine', last_layer='block_sparse'),
    dict(type='MultiLabelProtoPNetHead', prototypes_per_class=[2, 1, 1]),
]


def parts(settings):
    torch.manual_seed(0)
    head = MODELS.build(model_config(**settings)['head'])
    features = torch.rand(IMAGES, 6, 5, 4).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(IMAGES) * 2 % 3
    several = torch.rand(IMAGES, 3) < 0.5
    return head, features, labels if head.predicts_one_class else several


def step(head, features, labels):
    """Distances, places and losses of some images, and the gradients of their mean loss."""
    features.requires_grad_()
    outputs = head.outputs([features], labels)
    losses = head.loss_module(outputs, labels)
    sum(losses.values()).backward()
    return dict(
        distances=outputs.distances.detach(),
        locations=outputs.locations,
        logits=outputs.logits.detach(),
        features=features.grad,
        prototypes=head.prototype_vectors.grad,
        last_layer=[one.grad for one in head.last_layer.parameters()],
    )


def run_process(rank, processes, folder):
    torch.set_num_threads(1)
    distributed.init_process_group(
        'gloo', f'file://{folder}/rendezvous', rank=rank, world_size=processes
    )
    results = []
    for settings in HEADS:
        head, features, labels = parts(settings)
        whole = head.prototype_vectors.detach().clone()
        some = slice(IMAGES * rank // processes, IMAGES * (rank + 1) // processes)
        head.share_out()
        assert len(head.prototype_vectors) == head.shares.sizes[rank] < len(whole)
        found = step(head, features[some].detach(), labels[some])
        found['prototypes'] = head.shares.together(found['prototypes'])
        for gradient in found['last_layer']:  # as DDP does
            distributed.all_reduce(gradient)
            gradient /= processes
        head.put_together()
        assert torch.equal(head.prototype_vectors, whole)
        results.append(found)
    torch.save(results, f'{folder}/{rank}.pth')
    distributed.destroy_process_group()


@pytest.mark.parametrize('processes', [2, 4])
def test_distances_and_gradients_are_those_of_one_process(tmp_path, processes):
    arguments = processes, str(tmp_path)
    mp.start_processes(run_process, arguments, processes, start_method='fork')
    each = [torch.load(tmp_path / f'{rank}.pth') for rank in range(processes)]
    for number, settings in enumerate(HEADS):
        expected = step(*parts(settings))
        found = [results[number] for results in each]
        for name in ('distances', 'locations', 'logits'):
            ours = torch.cat([one[name] for one in found])
            torch.testing.assert_close(ours, expected[name], msg=f'{settings} {name}')
        # Each process's mean is of its own images alone.
        features = torch.cat([one['features'] for one in found]) / processes
        torch.testing.assert_close(features, expected['features'])
        for one in found:
            torch.testing.assert_close(one['prototypes'], expected['prototypes'])
            torch.testing.assert_close(one['last_layer'], expected['last_layer'])


def test_one_process_holds_all():
    head, *_ = parts(HEADS[0])
    shares = PrototypeShares(5)
    assert shares.sizes == [5]
    own = shares.own(head.prototype_vectors)
    assert torch.equal(shares.together(own), head.prototype_vectors)
