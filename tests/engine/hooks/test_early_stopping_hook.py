import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmproto.errors import InputError
from tests.toy import train_config

# Two epochs of the last layer belong to each push; three steps an epoch.
SCHEDULE = [
    dict(stage='warm', epochs=1),
    dict(stage='joint', epochs=1, push=True),
    dict(stage='last_layer', epochs=2),
    dict(stage='joint', epochs=2, push=True),
    dict(stage='last_layer', epochs=2),
    dict(stage='joint', epochs=1, push=True),
    dict(stage='last_layer', epochs=2),
]


class NoteValidations(Hook):
    """Gives the accuracy of each epoch, in place of what it is."""

    priority = 'HIGHEST'

    def __init__(self, accuracies):
        self.accuracies = accuracies

    def after_val_epoch(self, runner, metrics):
        metrics['accuracy/top1'] = float(self.accuracies[runner.epoch - 1])


class StopAfter(Hook):
    """Ends a training by force, between an epoch's checkpoint and its validation."""

    priority = 'LOWEST'

    def __init__(self, epoch):
        self.epoch = epoch

    def after_train_epoch(self, runner):
        if runner.epoch + 1 == self.epoch:
            raise KeyboardInterrupt


def config(work_dir, schedule=SCHEDULE, **settings):
    cfg = train_config(work_dir)
    cfg['optim_wrapper']['schedule'] = schedule
    stop = dict(type='PushedEarlyStoppingHook', monitor='accuracy/top1', **settings)
    cfg['custom_hooks'].append(stop)
    return cfg


def train(cfg, accuracies):
    runner = Runner.from_cfg(cfg)
    runner.register_hook(NoteValidations(accuracies))
    runner.train()
    return runner


def test_it_stops_after_a_push_whose_last_layer_is_trained(tmp_path):
    """Epochs 4 and 8 are what is left of two pushes; the others, 99 or 0, are not looked at."""
    runner = train(config(tmp_path, patience=1), [99, 0, 99, 50, 99, 0, 99, 50, 99, 0, 99])
    assert runner.epoch == 8
    assert runner.model.head.prototypes_are_patches
    last = torch.load(tmp_path / 'epoch_8.pth')['state_dict']
    assert last['head.prototypes_are_patches']
    assert torch.equal(last['head.last_layer.weight'], runner.model.head.last_layer.weight)


def test_it_goes_on_while_pushed_models_get_better(tmp_path):
    assert train(config(tmp_path, patience=1), range(11)).epoch == 11


def test_a_solver_belongs_to_its_push(tmp_path):
    cfg = config(tmp_path, [dict(stage='joint', epochs=1, push=True), dict(stage='solve')] * 4)
    cfg['custom_hooks'][-1]['patience'] = 2
    cfg['optim_wrapper']['stages']['solve'] = dict(solver=dict(type='SparseLastLayer'))
    runner = train(cfg, [50] * 4)
    assert runner.epoch == 3
    assert runner.model.head.prototypes_are_patches


@pytest.mark.parametrize('killed_after', [4, 5])
def test_a_resumed_training_goes_on_counting(tmp_path, killed_after):
    """Pushed models of epochs 4, 8 and 11 get worse: the second that does is the last."""
    schedule, accuracies = (
        [*SCHEDULE, *SCHEDULE[3:5]],
        [0, 0, 0, 50, 0, 0, 0, 40, 0, 0, 30, 0, 0, 0, 20],
    )
    cfg = config(tmp_path, schedule, patience=2)
    runner = Runner.from_cfg(cfg)
    runner.register_hook(NoteValidations(accuracies))
    runner.register_hook(StopAfter(killed_after))
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    assert train({**cfg, 'resume': True}, accuracies).epoch == 11


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(monitor='cheer'), "rule=None does not say what is better of monitor='cheer'"),
        (dict(monitor='top9'), r"monitor='top9' is no metric of the validation.*'accuracy/top1'"),
        (dict(schedule=SCHEDULE[:3]), 'would never stop: the schedule has no epoch before'),
    ],
)
def test_what_could_not_stop_is_refused(tmp_path, settings, message):
    cfg = config(tmp_path, settings.pop('schedule', SCHEDULE))
    cfg['custom_hooks'][-1].update(settings)
    with pytest.raises(InputError, match=message):
        Runner.from_cfg(cfg).train()


def test_without_a_validation_it_is_refused(tmp_path):
    cfg = config(tmp_path)
    cfg.update(val_dataloader=None, val_cfg=None, val_evaluator=None)
    with pytest.raises(InputError, match='needs a validation: set val_dataloader'):
        Runner.from_cfg(cfg).train()
