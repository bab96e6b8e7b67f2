"""Two processes train on from a pruned checkpoint."""

import os

import pytest
import torch
import torch.multiprocessing as mp
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from mmproto.models import unwrap_model
from mmproto.utils.command_line import _set_up_processes
from tests.toy import model_config, train_config


def train(rank, folder):
    """One of two processes, started as tools/dist_train.sh starts it."""
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT='29618', RANK=str(rank), WORLD_SIZE='2')
    os.environ['LOCAL_RANK'] = str(rank)
    torch.set_num_threads(1)
    cfg = Config(train_config(folder, load_from=f'{folder}/pruned.pth', launcher='pytorch'))
    _set_up_processes(cfg, type('Args', (), dict(local_rank=rank, launcher='pytorch')))
    model = unwrap_model(Runner.from_cfg(cfg).train())
    torch.save(model.state_dict(), f'{folder}/rank{rank}.pth')
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_processes_train_on_from_a_pruned_checkpoint(tmp_path):
    init_default_scope('mmpretrain')
    model = MODELS.build(model_config())
    model.head.prune(torch.tensor([True, False, True, True, True, False]))
    torch.save(dict(state_dict=model.state_dict(), meta={}), tmp_path / 'pruned.pth')
    mp.spawn(train, (str(tmp_path),), nprocs=2)
    one, other = (torch.load(tmp_path / f'rank{rank}.pth') for rank in range(2))
    for name in ('head.prototype_vectors', 'head.last_layer.weight'):
        assert one[name].shape == model.state_dict()[name].shape
        assert torch.equal(one[name], other[name])
        assert not torch.equal(one[name], model.state_dict()[name])
