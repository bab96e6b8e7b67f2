from typing import ClassVar

import pytest
import torch
from mmengine.runner import Runner, load_checkpoint
from mmpretrain.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS, TASK_UTILS

from mmproto.errors import InputError
from tests.toy import RECIPE, STAGES, model_config, train_config


@TASK_UTILS.register_module()
class OnesSolver:
    """Sets the last layer to a constant, and notes what it was called with."""

    calls: ClassVar = []

    def __init__(self, value):
        self.value = value

    def __call__(self, model, dataloader):
        assert not model.training
        assert bool(model.head.prototypes_are_patches)
        images = sum(len(batch['inputs']) for batch in dataloader)
        self.calls.append((images, model.head.last_layer.weight.detach().clone()))
        with torch.no_grad():
            model.head.last_layer.weight.fill_(self.value)
        return dict(value=self.value)


SCHEDULE = [
    dict(stage='joint', epochs=1, push=True),
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
    assert [images for images, _ in calls] == [12, 12]  # the push set
    assert torch.equal(calls[0][1], before)
    assert torch.equal(calls[1][1], torch.full_like(before, 0.5))
    for epoch in (1, 2):
        model = MODELS.build(model_config())
        load_checkpoint(model, str(tmp_path / f'epoch_{epoch}.pth'))
        assert torch.equal(model.head.last_layer.weight, torch.full_like(before, 0.5))
        assert bool(model.head.prototypes_are_patches)
    (log,) = tmp_path.glob('*/*.log')
    text = log.read_text()
    assert "Solver 'last_layer' is done: value 0.5000." in text
    assert 'is not the last thing that this schedule does' not in text
    assert text.index('Push:') < text.index("Solver 'last_layer' starts") < text.index('Saving ch')


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
