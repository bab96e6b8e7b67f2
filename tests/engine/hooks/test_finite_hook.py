import os

import pytest
import torch
import torch.multiprocessing as mp
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.registry import TASK_UTILS

from mmproto.errors import InputError
from mmproto.models import unwrap_model
from mmproto.utils.command_line import _set_up_processes, one_line_errors
from tests.toy import train_config

NAN = float('nan')


class Spoil(Hook):
    """Makes a number of the model, or of its gradients, what it should not be."""

    def __init__(self, name, step, gradient=False):
        self.name, self.step, self.gradient = name, step, gradient

    def after_train_iter(self, runner, **kwargs):
        if runner.iter + 1 == self.step and not self.gradient:
            unwrap_model(runner.model).state_dict()[self.name].fill_(NAN)

    def before_train_iter(self, runner, **kwargs):
        if runner.iter + 1 == self.step and self.gradient:
            parameter = dict(unwrap_model(runner.model).named_parameters())[self.name]
            parameter.register_hook(lambda gradient: gradient * NAN)


def config(work_dir, **changes):
    cfg = train_config(work_dir, **changes)
    cfg['custom_hooks'].insert(0, dict(type='FiniteHook'))
    return cfg


def end(cfg, *hooks):
    """The line that a training ends with."""
    runner = Runner.from_cfg(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    with pytest.raises(InputError) as error:
        runner.train()
    for path in [path for path in os.scandir(cfg['work_dir']) if path.name.endswith('.pth')]:
        weights = torch.load(path.path)['state_dict'].items()
        assert all(w.isfinite().all() for name, w in weights if not name.endswith('_distance'))
    return str(error.value)


def test_the_line_names_epoch_step_stage_module_rate_and_checkpoint(tmp_path):
    """Three steps an epoch: what the eighth has spoilt shows in the ninth."""
    line = end(config(tmp_path), Spoil('neck.add_on_layers.2.weight', 8))
    assert line == (
        "not finite in epoch 3, step 3 (stage 'joint'): loss_cls, loss_cluster, loss_separation, "
        'beginning in neck.add_on_layers.2, whose weights are not finite any more. Lower '
        'optim_wrapper.stages.joint.neck.lr (now 0.003); the last good checkpoint is '
        f'{tmp_path / "epoch_2.pth"}'
    )
    assert not (tmp_path / 'epoch_3.pth').exists()


def test_weights_that_only_the_last_step_of_an_epoch_has_spoilt_are_not_pushed(tmp_path):
    """The twelfth step is the last before the push; its loss is finite, its gradients are not."""
    line = end(config(tmp_path), Spoil('backbone.conv.weight', 12, gradient=True))
    assert line.startswith("not finite at the end of epoch 4 (stage 'joint'): weights, backbone.")
    assert 'Lower optim_wrapper.stages.joint.backbone.lr (now 0.0001)' in line
    assert not (tmp_path / 'epoch_4.pth').exists()
    assert not (tmp_path / 'prototypes').exists()


def test_a_rate_that_is_too_high_is_the_one_that_is_named(tmp_path):
    cfg = config(tmp_path)
    cfg['optim_wrapper']['optimizer'] = dict(type='SGD')
    cfg['optim_wrapper']['stages']['warm']['prototypes']['lr'] = 1e38
    cfg['optim_wrapper']['stages']['warm']['neck']['lr'] = 0.0
    line = end(cfg)
    assert 'beginning in head' in line
    assert 'Lower optim_wrapper.stages.warm.prototypes.lr (now 1e+38); no checkpoint yet' in line


def test_of_a_frozen_group_the_rates_that_train_are_named(tmp_path):
    line = end(config(tmp_path), Spoil('backbone.conv.weight', 2))
    assert (
        'Lower optim_wrapper.stages.warm.neck.lr (now 0.003) and '
        'optim_wrapper.stages.warm.prototypes.lr (now 0.003);'
    ) in line


def test_features_count_though_the_loss_is_finite(tmp_path):
    """One patch overflows; the nearest is another."""
    cfg = config(tmp_path)
    cfg['model']['head'].update(
        similarity=dict(type='ManhattanSimilarity'),
        loss=dict(type='ProtoPNetLoss', cluster=None, separation=None),
    )

    def overflow(neck, images, maps):
        maps[0].data[..., 0, 0] = float('inf')

    class Overflow(Hook):
        def before_train(self, runner):
            runner.model.neck.register_forward_hook(overflow)

    line = end(cfg, Overflow())
    assert line.startswith(
        "not finite in epoch 1, step 1 (stage 'warm'): features, beginning in neck. "
    )


def test_images_that_are_not_finite_are_blamed(tmp_path):
    cfg = config(tmp_path)
    cfg['model']['data_preprocessor']['std'] = [0, 0, 0]
    line = end(cfg)
    assert 'beginning with the images: look at them and at data_preprocessor.std' in line


def test_a_checkpoint_that_is_spoilt_is_refused_before_training(tmp_path):
    runner = Runner.from_cfg(train_config(tmp_path / 'one'))
    state = runner.model.state_dict()
    state['backbone.bn.running_mean'][0] = NAN
    torch.save(dict(state_dict=state, meta={}), tmp_path / 'spoilt.pth')
    cfg = config(tmp_path / 'two', load_from=str(tmp_path / 'spoilt.pth'))
    assert 'before it is trained, backbone.bn.running_mean to begin with' in end(cfg)


@TASK_UTILS.register_module()
class NoNumbers:
    """A solver that gives none."""

    def __call__(self, model, dataloader):
        model.head.last_layer.weight.data.fill_(NAN)
        return {}


def test_a_solver_is_blamed_for_its_own_weights(tmp_path):
    cfg = config(tmp_path)
    cfg['optim_wrapper']['stages']['last_layer'] = dict(solver=dict(type='NoNumbers'))
    line = end(cfg)
    assert line.startswith('optim_wrapper.stages.last_layer.solver gives weights that are not')
    assert (tmp_path / 'epoch_3.pth').exists()


def test_steps_that_are_finite_are_left_as_they_are(tmp_path):
    states = []
    for name in ('with', 'without'):
        cfg = config(tmp_path / name) if name == 'with' else train_config(tmp_path / name)
        states.append(Runner.from_cfg(cfg).train().state_dict())
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name


def train(rank, folder):
    """One of two processes, of which the second alone has an image that overflows."""
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT='29637', RANK=str(rank), WORLD_SIZE='2')
    os.environ['LOCAL_RANK'] = str(rank)
    torch.set_num_threads(1)
    init_default_scope('mmpretrain')
    cfg = Config(config(folder, launcher='pytorch'))
    _set_up_processes(cfg, type('Args', (), dict(local_rank=rank, launcher='pytorch')))
    runner = Runner.from_cfg(cfg)

    class Overflow(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            if rank == 1 and runner.iter == 1:
                data_batch['inputs'] = data_batch['inputs'] * NAN

    runner.register_hook(Overflow())
    os.dup2(os.open(f'{folder}/rank{rank}', os.O_WRONLY | os.O_CREAT), 2)
    with one_line_errors():
        runner.train()


def test_all_processes_end_and_one_says_why(tmp_path):
    """Each by itself, with status 1: none is aborted since another has ended before it."""
    processes = [
        mp.get_context('spawn').Process(target=train, args=(rank, str(tmp_path)))
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [1, 1]
    first, second = ((tmp_path / f'rank{rank}').read_text() for rank in range(2))
    lines = [line for line in first.splitlines() if line.startswith('error: ')]
    assert len(lines) == 1
    assert lines[0].startswith("error: not finite in epoch 1, step 2 (stage 'warm'): loss_cls")
    assert 'beginning with the images' in lines[0]
    assert 'error: ' not in second
