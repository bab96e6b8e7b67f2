"""Trainings that go on from a file that somebody else has written."""

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.runner import Runner

from mmproto.engine.runner import build_runner
from mmproto.errors import InputError
from tests.odd_checkpoints import DELETED, odd_parts, with_entry
from tests.toy import train_config

# A plain classifier by MMEngine's own loop and hooks, as the baseline configs have it.
PLAIN = dict(
    train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2),
    optim_wrapper=dict(optimizer=dict(type='Adam', lr=1e-3)),
    default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1, save_best='auto')),
    custom_hooks=[],
)


def config(work_dir, plain, checkpoint=None, **changes):
    cfg = train_config(work_dir, **(PLAIN if plain else {}), **changes)
    return Config({**cfg, 'load_from': checkpoint and str(checkpoint), 'resume': bool(checkpoint)})


@pytest.fixture(scope='module', params=[False, True], ids=['ProtoPNet', 'baseline'])
def trained(request, tmp_path_factory):
    """Whether it is a baseline, its work folder, a checkpoint from before a push or the end."""
    folder = tmp_path_factory.mktemp('first') / 'work'
    build_runner(config(folder, request.param)).train()
    return request.param, folder, torch.load(folder / f'epoch_{1 if request.param else 3}.pth')


def go_on(tmp_path, plain, saved, runner_of=build_runner):
    MMLogger._instance_dict.clear()  # as in a process of its own
    MessageHub._instance_dict.clear()
    torch.save(saved, tmp_path / 'given.pth')
    runner = runner_of(config(tmp_path / 'work', plain, tmp_path / 'given.pth'))
    runner.train()
    return runner


@pytest.mark.parametrize('runner_of', [build_runner, Runner.from_cfg])
def test_a_training_runs_and_removes_nothing_that_its_checkpoint_names(
    tmp_path, trained, runner_of
):
    """It says that somebody else's file is its best so far, and worse than the next."""
    plain, folder, saved = trained
    before = sorted(folder.iterdir())
    for name in ('precious', 'epoch_7.pth'):
        (tmp_path / name).write_text('mine')
    code = f"x = __import__('os').system('touch {tmp_path}/ran')"
    for best in (tmp_path / 'precious', next(folder.glob('best_*'))):
        saved['meta'].update(config=code, cfg=code)
        saved['message_hub']['runtime_info'].update(
            cfg=code, best_ckpt=str(best), best_score=-1.0, keep_ckpt_ids=['../../epoch_7'] * 9
        )
        runner = go_on(tmp_path, plain, saved, runner_of)
        assert runner.message_hub.get_info('best_ckpt').startswith(str(tmp_path / 'work/best_'))
    assert not (tmp_path / 'ran').exists()
    assert (tmp_path / 'precious').exists()
    assert (tmp_path / 'epoch_7.pth').exists()
    assert sorted(folder.iterdir()) == before


def test_its_own_former_best_is_removed(tmp_path):
    build_runner(config(tmp_path / 'work', True)).train()
    (best,) = (tmp_path / 'work').glob('best_*')
    former = best.rename(best.with_name('best_former.pth'))
    saved = torch.load(tmp_path / 'work' / 'epoch_1.pth')
    saved['message_hub']['runtime_info'].update(best_score=-1.0, best_ckpt=str(former))
    go_on(tmp_path, True, saved)
    (better,) = (tmp_path / 'work').glob('best_*')
    assert better != former


ODD_STATE = [
    (('meta', 'epoch'), 'x'),
    (('meta', 'epoch'), -1),
    (('meta', 'epoch'), 10**30),
    (('meta', 'iter'), 0.5),
    (('meta', 'iter'), 10**30),
    (('meta', 'seed'), 'x'),
    (('message_hub',), [1]),
    (('message_hub', 'log_scalars'), None),
    (('optimizer',), 'x'),
    (('optimizer',), {'no such': {}}),
]
ODD_OPTIMIZER = [
    (('param_groups', 0, 'lr'), 'x'),
    (('param_groups', 0, 'lr'), float('nan')),
    (('param_groups', 0, 'betas'), (0.9, 'x')),
    (('param_groups', 0, 'betas'), DELETED),
    (('state', 0, 'exp_avg'), torch.zeros(2, 7)),
    (('state', 0, 'exp_avg'), torch.tensor(float('nan'))),
    (('state', 0, 'exp_avg'), DELETED),
    (('state', 0, 'step'), 'x'),
]


def test_an_odd_state_is_refused_before_the_training(tmp_path, trained):
    plain, _, saved = trained
    optimizer = ('optimizer',) if plain else ('optimizer', 'warm')
    for path, value in [*ODD_STATE, *((optimizer + path, value) for path, value in ODD_OPTIMIZER)]:
        with pytest.raises(InputError, match=r'^resume: ') as error:
            go_on(tmp_path, plain, with_entry(saved, path, value))
        assert '\n' not in str(error.value)
    assert not list((tmp_path / 'work').glob('epoch_*'))


def test_weights_alone_are_nothing_to_go_on_from(tmp_path, trained):
    plain, folder, saved = trained
    best = torch.load(next(folder.glob('best_*')))
    for odd in (best, with_entry(saved, ('optimizer',), DELETED)):
        with pytest.raises(
            InputError, match=r'given\.pth was saved without the state of its optim'
        ):
            go_on(tmp_path, plain, odd)


def test_a_training_without_its_schedulers_is_refused(tmp_path):
    schedulers = dict(param_scheduler=[dict(type='ConstantLR', factor=1)])
    build_runner(config(tmp_path / 'first', True, **schedulers)).train()
    file = tmp_path / 'first' / 'epoch_1.pth'
    torch.save(with_entry(torch.load(file), ('param_schedulers',), DELETED), file)
    with pytest.raises(InputError, match=r'state of its schedulers.*save_param_schedul'):
        build_runner(config(tmp_path / 'work', True, file, **schedulers)).train()


def test_a_checkpoint_of_another_network_is_refused(tmp_path, trained):
    plain, _, saved = trained
    other = {f'other.{name}': value for name, value in saved['state_dict'].items()}
    with pytest.raises(InputError, match=r'no head of a ProtoPNet|has none of the'):
        go_on(tmp_path, plain, dict(saved, state_dict=other))
    part = {k: v for k, v in saved['state_dict'].items() if not k.startswith('neck')}
    with pytest.raises(InputError, match=r'resume: only \d+ of \d+ weights'):
        go_on(tmp_path, plain, dict(saved, state_dict=part))


@pytest.mark.slow
def test_every_odd_part_is_refused_or_trained_with(tmp_path, trained):
    plain, _, saved = trained
    lines = []
    for _, odd in odd_parts(saved, ['backbone.conv.weight', 'head.prototype_class']):
        try:
            go_on(tmp_path, plain, odd)
        except InputError as error:
            lines.append(str(error))
    assert len(lines) > 100
    assert not any('\n' in line for line in lines)
