import os

import pytest
import torch
import torch.multiprocessing as mp
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.registry import MODELS, TASK_UTILS

import mmproto.engine.solvers  # noqa: F401
from mmproto.engine.push import push_prototypes
from mmproto.engine.solvers.score_pass import score_images
from mmproto.errors import InputError
from mmproto.functional import ConnectionPenalty, ScoreLoss, own_connections, solve_last_layer
from tests.toy import loader, model_config

COUNT = 37  # no multiple of a number of processes, or of a batch size


def build(batch_size=8):
    """A pushed model, and its push data."""
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    model = MODELS.build(model_config()).eval()
    dataloader = Runner.build_dataloader(ConfigDict(loader(batch_size, count=COUNT)))
    push_prototypes(model, dataloader)
    return model, dataloader


def solver(**settings):
    return TASK_UTILS.build(
        dict(type='SparseLastLayer', **{'l1_weight': 1e-3, 'l2_weight': 1e-3, **settings})
    )


def scores_by_loop(model, dataset):
    images = (dataset[i]['inputs'][None].float() / 255 for i in range(len(dataset)))
    with torch.no_grad():
        return torch.cat([model.head.pre_logits(model.extract_feat(image)) for image in images])


def test_the_last_layer_becomes_the_solution():
    model, dataloader = build()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    figures = solver()(model, dataloader)
    scores = scores_by_loop(model, dataloader.dataset)
    own = own_connections(model.head.prototype_class, 3)
    expected = solve_last_layer(
        ScoreLoss(scores, torch.from_numpy(dataloader.dataset.labels), 3),
        ConnectionPenalty(own, l1_weight=1e-3, l2_weight=1e-3),
    )
    weight = model.head.last_layer.weight
    assert figures['residual'] <= 1e-6
    assert figures['objective'] == pytest.approx(expected.objective, abs=1e-6)
    assert figures['connections'] == int(weight[~own].count_nonzero())
    assert 0 < figures['connections'] < int((~own).sum())
    torch.testing.assert_close(weight.double(), expected.weight, rtol=1e-2, atol=1e-2)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) != (name == 'head.last_layer.weight')


def test_scores_on_disk_give_the_same_and_leave_no_file(tmp_path):
    model, dataloader = build()
    in_memory = solver()(model, dataloader)
    on_disk = solver(scores_dir=str(tmp_path), block_size=5)(model, dataloader)
    assert on_disk['objective'] == pytest.approx(in_memory['objective'], abs=1e-12)
    assert not list(tmp_path.iterdir())


def test_non_negative_weights_only_speak_for_a_class():
    model, dataloader = build()
    solver(non_negative=True)(model, dataloader)
    assert model.head.last_layer.weight.min() >= 0


@pytest.mark.parametrize('setting', ['l1_weight', 'l2_weight'])
def test_weights_that_are_not_positive_are_refused_when_built(setting):
    with pytest.raises(InputError, match=f'^{setting}=-0.1: give a positive number$'):
        solver(**{setting: -0.1})


def run_process(rank, world_size, folder):
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT='29643')
    torch.distributed.init_process_group('gloo', rank=rank, world_size=world_size)
    model, dataloader = build(batch_size=4)
    with score_images(model, dataloader) as scored:
        images = scored.images.tolist()
    figures = solver()(model, dataloader)
    torch.save((images, figures, model.head.last_layer.weight.data), f'{folder}/{rank}.pth')
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_solve_what_one_solves(tmp_path):
    model, dataloader = build()
    alone = solver()(model, dataloader)
    mp.spawn(run_process, (2, str(tmp_path)), nprocs=2)
    first, second = (torch.load(tmp_path / f'{rank}.pth') for rank in range(2))
    assert first[0] == list(range(0, COUNT, 2))
    assert second[0] == list(range(1, COUNT, 2))  # and not the image that fills up its share
    assert torch.equal(first[2], second[2])
    assert first[1]['objective'] == pytest.approx(alone['objective'], abs=1e-6)
