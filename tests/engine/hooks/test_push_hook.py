import re

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.evaluation import Accuracy
from mmpretrain.registry import METRICS, TASK_UTILS

from mmproto.engine.push_record import PushRecord, epoch_folder
from tests.pushing import NoteAccuracy
from tests.toy import STAGES, loader, train_config

CALLS = []


@METRICS.register_module()
class CountedAccuracy(Accuracy):
    """Counts how often a validation set is gone through."""

    def evaluate(self, size):
        CALLS.append(size)
        return super().evaluate(size)


def train(config):
    runner = Runner.from_cfg(config)
    noted = NoteAccuracy()
    runner.register_hook(noted)
    CALLS.clear()
    runner.train()
    return runner, noted


@pytest.mark.parametrize(('val_interval', 'validations'), [(1, 6 + 1), (5, 2 + 2), (4, 2 + 1)])
def test_the_accuracies_are_those_before_and_after_the_push(tmp_path, val_interval, validations):
    config = train_config(
        tmp_path,
        log_level='INFO',
        train_cfg=dict(type='StagedTrainLoop', val_interval=val_interval),
        val_evaluator=dict(type='CountedAccuracy'),
        val_dataloader=loader(seed=2, count=60),
    )
    _, noted = train(config)
    assert abs(noted.before - noted.after) > 1  # else they could be swapped unseen
    record = PushRecord.load(epoch_folder(tmp_path, 4))
    assert record.epoch == 4
    assert record.before == {'accuracy/top1': pytest.approx(noted.before)}
    assert record.after == {'accuracy/top1': pytest.approx(noted.after)}
    assert len(CALLS) == validations  # each state once
    certificate = record.certificate
    assert certificate.images == 60
    assert certificate.unchanged == (noted.predicted_before == noted.predicted_after).sum() < 60
    assert 0 <= certificate.by_moves <= certificate.certified <= certificate.unchanged
    (log,) = tmp_path.glob('*/*.log')
    lines = re.findall('Push: (.*)', log.read_text())
    assert lines == [
        'looking for the nearest patches of 6 prototypes in 12 images.',
        *(f'{line}.' for line in record.summaries()),
        f'accuracy/top1 was {noted.before:.2f} and is {noted.after:.2f}.',
    ]


@TASK_UTILS.register_module()
class OneClassSolver:
    """Makes the model predict the first class whatever it sees."""

    def __call__(self, model, dataloader):
        with torch.no_grad():
            model.head.last_layer.weight.fill_(0)[0] = 1
        return {}


def test_a_solver_after_the_push_does_not_count_as_the_push(tmp_path):
    config = train_config(
        tmp_path,
        val_evaluator=dict(type='CountedAccuracy'),
        val_dataloader=loader(seed=2, count=60),
    )
    config['optim_wrapper']['schedule'] = [
        dict(stage='joint', epochs=4, push=True),
        dict(stage='solver'),
        dict(stage='joint', epochs=1),
    ]
    config['optim_wrapper']['stages'] = dict(
        joint=STAGES['joint'], solver=dict(solver=dict(type='OneClassSolver'))
    )
    _, noted = train(config)
    assert noted.after == pytest.approx(100 / 3)  # that of the solver
    record = PushRecord.load(epoch_folder(tmp_path, 4))
    assert record.before == {'accuracy/top1': pytest.approx(noted.before)}
    assert abs(record.after['accuracy/top1'] - noted.after) > 1
    assert len(CALLS) == 5 + 2


def test_the_record_is_safe_before_the_accuracy_is_known(tmp_path):
    class Crash(Hook):
        def before_val(self, runner):
            if runner.epoch == 4:
                raise RuntimeError('the power is gone')

    runner = Runner.from_cfg(train_config(tmp_path))
    runner.register_hook(Crash())
    with pytest.raises(RuntimeError, match='the power is gone'):
        runner.train()
    record = PushRecord.load(epoch_folder(tmp_path, 4))
    head = runner.model.head
    assert record.mean_distance == pytest.approx(head.prototype_distance.mean().item())
    assert record.before.keys() == {'accuracy/top1'}
    assert record.after == {}


def test_a_push_in_the_last_epoch_without_a_validation_set(tmp_path):
    schedule = dict(warm_epochs=0, epochs=1, push_epochs=[0], last_layer_epochs=0)
    config = train_config(tmp_path, val_cfg=None, val_dataloader=None, val_evaluator=None)
    config['optim_wrapper']['schedule'] = schedule
    config['default_hooks']['checkpoint'].pop('save_best')
    Runner.from_cfg(config).train()
    record = PushRecord.load(epoch_folder(tmp_path, 1))
    assert record.before == record.after == {}
    assert record.certificate is None
    assert (tmp_path / 'epoch_1.pth').is_file()


def test_a_record_that_cannot_be_written_ends_no_training(tmp_path):
    (tmp_path / 'prototypes').touch()  # no folder
    runner = Runner.from_cfg(train_config(tmp_path))
    runner.train()
    assert bool(torch.load(tmp_path / 'epoch_6.pth')['state_dict']['head.prototypes_are_patches'])
    (log,) = tmp_path.glob('*/*.log')
    assert 'push.json cannot be written' in log.read_text()


@pytest.mark.slow
def test_the_visualizer_shows_the_push(tmp_path):
    pytest.importorskip('tensorboard')
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    backends = [dict(type='TensorboardVisBackend'), dict(type='LocalVisBackend')]
    config = train_config(
        tmp_path, visualizer=dict(type='UniversalVisualizer', vis_backends=backends)
    )
    config['default_hooks']['logger'] = dict(type='LoggerHook', interval=1)
    runner, noted = train(config)
    (events,) = tmp_path.glob('*/vis_data/events.*')
    board = EventAccumulator(str(events), size_guidance=dict(images=0)).Reload()

    def plotted(tag):
        return [(event.step, event.value) for event in board.Scalars(tag)]

    head = runner.model.head
    patches = torch.cat([head.prototype_image[:, None], head.prototype_location], dim=1)
    moved = head.prototype_distance.mean().item()
    assert plotted('push/mean_distance') == [(4, pytest.approx(moved))]
    assert plotted('push/patches') == [(4, len(patches.unique(dim=0)))]
    validated = dict(plotted('accuracy/top1'))
    assert list(validated) == [1, 2, 3, 4, 5, 6]
    assert plotted('push/accuracy/top1/after') == [(4, validated[4])]
    assert plotted('push/accuracy/top1/before') == [(4, pytest.approx(noted.before))]
    warm, joint, last_layer = (2 * 3,) * 3  # iterations
    for group, rates in dict(
        backbone=[0] * warm + [1e-4] * joint + [0] * last_layer,
        neck=[3e-3] * (warm + joint) + [0] * last_layer,
        prototypes=[3e-3] * (warm + joint) + [0] * last_layer,
        last_layer=[0] * (warm + joint) + [1e-4] * last_layer,
    ).items():
        steps, values = zip(*plotted(f'{group}.lr'))
        assert steps == tuple(range(1, 19))
        assert values == pytest.approx(rates)
    terms = [dict(plotted(f'loss_{term}')) for term in ('cls', 'cluster', 'separation', 'l1')]
    for step, loss in plotted('loss'):
        assert loss == pytest.approx(sum(term[step] for term in terms), rel=1e-3)


class MakeTwins(Hook):
    """Makes the two prototypes of each class equal before the fourth epoch's push."""

    priority = 'ABOVE_NORMAL'

    def after_train_epoch(self, runner):
        vectors = runner.model.head.prototype_vectors.data
        vectors[1::2] = vectors[::2]


@pytest.mark.parametrize('different', [False, True])
def test_each_prototype_of_a_class_gets_another_patch_if_asked_for(tmp_path, different):
    hooks = [dict(type='PrototypePushHook', different=different), dict(type='SolverHook')]
    runner = Runner.from_cfg(train_config(tmp_path, custom_hooks=hooks))
    runner.register_hook(MakeTwins())
    runner.train()
    record = PushRecord.load(epoch_folder(tmp_path, 4))
    assert record.patches == (6 if different else 3)
