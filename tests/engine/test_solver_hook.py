import os
from typing import ClassVar

import pytest
import torch
import torch.multiprocessing as mp
from mmengine.config import Config
from mmengine.runner import Runner, load_checkpoint
from mmpretrain.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS, TASK_UTILS

from mmproto.errors import InputError
from mmproto.models import unwrap_model
from mmproto.utils.command_line import _set_up_processes
from tests.toy import RECIPE, STAGES, model_config, train_config


@TASK_UTILS.register_module()
class OnesSolver:
    """Sets the last layer to a constant, and notes what it was called with."""

    calls: ClassVar = []

    def __init__(self, value):
        self.value = value

    def __call__(self, model, dataloader):
        assert not model.training
        images = sum(len(batch['inputs']) for batch in dataloader)
        patches = bool(model.head.prototypes_are_patches)
        self.calls.append((images, patches, model.head.last_layer.weight.detach().clone()))
        with torch.no_grad():
            model.head.last_layer.weight.fill_(self.value)
        return dict(value=self.value)


SCHEDULE = [
    dict(stage='joint', epochs=1),
    dict(stage='last_layer'),
    dict(stage='joint', epochs=1, push=True),
    dict(stage='last_layer'),
]


def solver_config(work_dir, **changes):
    config = train_config(work_dir, log_level='INFO', **changes)
    config['optim_wrapper'].update(
        schedule=SCHEDULE,
        stages=dict(
            joint=STAGES['joint'], last_layer=dict(solver=dict(type='OnesSolver', value=0.5))
        ),
    )
    return config


@pytest.fixture(autouse=True)
def calls():
    OnesSolver.calls.clear()
    return OnesSolver.calls


@pytest.mark.slow
def test_a_solver_runs_after_the_push_and_before_the_checkpoint(tmp_path, calls):
    runner = Runner.from_cfg(solver_config(tmp_path))
    before = runner.model.head.last_layer.weight.detach().clone()
    runner.train()
    assert runner.epoch == 2
    # the push set, without a push and after one
    assert [call[:2] for call in calls] == [(12, False), (12, True)]
    assert torch.equal(calls[0][2], before)
    assert torch.equal(calls[1][2], torch.full_like(before, 0.5))
    for epoch in (1, 2):
        model = MODELS.build(model_config())
        load_checkpoint(model, str(tmp_path / f'epoch_{epoch}.pth'))
        assert torch.equal(model.head.last_layer.weight, torch.full_like(before, 0.5))
        assert bool(model.head.prototypes_are_patches) == (epoch == 2)
    (log,) = tmp_path.glob('*/*.log')
    text = log.read_text()
    assert "Solver 'last_layer' is done: value 0.5." in text
    assert 'is not the last thing that this schedule does' not in text
    lines = ("Solver 'last_layer' starts", 'Saving checkpoint')
    assert text.index('Push:') < text.rindex(lines[0]) < text.rindex(lines[1])


def train_on_two(rank, folder):
    """One of two processes, started as tools/dist_train.sh starts it."""
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT='29627', RANK=str(rank), WORLD_SIZE='2')
    os.environ['LOCAL_RANK'] = str(rank)
    torch.set_num_threads(1)
    cfg = Config(solver_config(folder, launcher='pytorch'))
    _set_up_processes(cfg, type('Args', (), dict(local_rank=rank, launcher='pytorch')))
    model = unwrap_model(Runner.from_cfg(cfg).train())
    images = [images for images, *_ in OnesSolver.calls]
    torch.save((images, model.head.last_layer.weight.detach()), f'{folder}/rank{rank}.pth')
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_every_process_solves_with_its_share_of_the_data(tmp_path):
    mp.spawn(train_on_two, (str(tmp_path),), nprocs=2)
    for rank in range(2):
        images, weight = torch.load(tmp_path / f'rank{rank}.pth')
        assert images == [6, 6]
        assert torch.equal(weight, torch.full_like(weight, 0.5))


def test_a_schedule_with_a_solver_needs_the_hook(tmp_path):
    config = solver_config(tmp_path, custom_hooks=[dict(type='PrototypePushHook')])
    with pytest.raises(InputError, match=r"nothing would run \['last_layer'\]: add .*SolverHook"):
        Runner.from_cfg(config).train()


def test_an_unknown_solver_is_refused():
    constructor = OPTIM_WRAPPER_CONSTRUCTORS.get('ProtoPNetOptimWrapperConstructor')
    stages = {**STAGES, 'last_layer': dict(solver=dict(type='NoSolver'))}
    cfg = dict(optimizer=RECIPE['optim_wrapper']['optimizer'], schedule={}, stages=stages)
    with pytest.raises(InputError, match=r"last_layer\.solver\.type='NoSolver' is not registered"):
        constructor(cfg)(MODELS.build(model_config()))
