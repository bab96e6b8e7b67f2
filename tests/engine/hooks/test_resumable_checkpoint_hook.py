"""Killed where it hurts, a training goes on to the end that it would have had."""

import multiprocessing
import os
import runpy
import signal
import zipfile

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmproto.engine.last_checkpoint import last_checkpoint
from mmproto.errors import InputError
from tests.command import ROOT
from tests.toy import loader, train_config

differences = runpy.run_path(str(ROOT / 'tools/crash_test.py'))['differences']

EPOCHS = 5


def config_of(work_dir, **changes):
    """Pushes after epochs 2 and 5."""
    config = train_config(work_dir, val_dataloader=loader(seed=2, count=60), **changes)
    config['optim_wrapper']['schedule'] = [
        dict(stage='joint', epochs=2, push=True),
        dict(stage='last_layer', epochs=1),
        dict(stage='joint', epochs=2, push=True),
    ]
    config['default_hooks']['checkpoint']['max_keep_ckpts'] = 1
    config['default_hooks']['sampler_seed'] = dict(type='EpochSeedHook')
    return config


class KillAt(Hook):
    """Kills its process at a point of an epoch."""

    def __init__(self, point, epoch):
        self.epoch = epoch
        setattr(self, point, self.kill)

    def kill(self, runner, *args, **kwargs):
        # the epoch counts up between training and validation
        if self.epoch is None or runner.epoch == self.epoch:
            os.kill(os.getpid(), signal.SIGKILL)


def train(config, hook=None, priority='NORMAL', prepare=None):
    runner = Runner.from_cfg(config)
    if hook is not None:
        runner.register_hook(hook, priority=priority)
    if prepare is not None:
        prepare(runner)
    runner.train()
    return runner


def train_and_die(*arguments):
    """Run a training in a process of its own, which is to be killed."""
    process = multiprocessing.get_context('fork').Process(target=train, args=arguments)
    process.start()
    process.join(timeout=300)
    assert process.exitcode == -signal.SIGKILL


@pytest.fixture(autouse=True, scope='module')
def one_thread():
    """A fork of a process whose threads have computed would wait for them for ever."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """The working directory of an unbroken training."""
    folder = tmp_path_factory.mktemp('whole') / 'work'
    train(config_of(folder, experiment_name='unbroken'))
    assert {file.name for file in folder.glob('*.pth')} >= {f'epoch_{EPOCHS}.pth'}
    assert len(list(folder.glob('best_*.pth'))) == 1
    return folder


POINTS = {
    'before the first push': ('after_train_epoch', 1, 'VERY_HIGH'),
    'after a push': ('after_train_epoch', 1, 'BELOW_NORMAL'),
    'before a checkpoint': ('after_train_epoch', 4, 'LOW'),
    'after a checkpoint': ('after_train_epoch', 1, 'LOWEST'),
    'before a validation': ('before_val_epoch', 3, 'NORMAL'),
    'in the last validation': ('after_val_iter', EPOCHS, 'NORMAL'),
    'before the best': ('after_val_epoch', EPOCHS, 'LOW'),
    'after the best': ('after_val_epoch', 2, 'LOWEST'),
    'within an epoch': ('before_train_iter', 3, 'NORMAL'),
    'at the end': ('after_train', EPOCHS, 'NORMAL'),
}


SHORT = {'after a push', 'after a checkpoint', 'in the last validation'}


@pytest.mark.parametrize(
    'point',
    [point if point in SHORT else pytest.param(point, marks=pytest.mark.slow) for point in POINTS],
)
def test_a_killed_training_ends_as_the_unbroken_one(tmp_path, whole, point):
    method, epoch, priority = POINTS[point]
    train_and_die(config_of(tmp_path), KillAt(method, epoch), priority)
    train(config_of(tmp_path, resume='auto'))
    assert differences(whole, tmp_path) == []


def kill_in_writing(name):
    """Prepares a runner to be killed when it has half written a file."""

    def prepare(runner):
        replace = os.replace

        def killed(part, path):
            if str(path).endswith(name):
                os.truncate(part, os.path.getsize(part) // 2)
                os.kill(os.getpid(), signal.SIGKILL)
            replace(part, path)

        os.replace = killed

    return prepare


@pytest.mark.slow
@pytest.mark.parametrize(
    'name', ['epoch_2.pth', 'epoch_5.pth', 'top1_epoch_2.pth', 'last_checkpoint', 'push.json']
)
def test_a_file_that_a_kill_leaves_half_written_has_no_name_yet(tmp_path, whole, name):
    config = config_of(tmp_path)
    train_and_die(config, None, 'NORMAL', kill_in_writing(name))
    for file in tmp_path.glob('[be]*.pth'):
        assert zipfile.ZipFile(file).testzip() is None
    if name != 'epoch_2.pth' and name.startswith('epoch'):  # one is kept, and it is whole
        assert last_checkpoint(tmp_path) == tmp_path / f'epoch_{int(name[6]) - 1}.pth'
    train(config_of(tmp_path, resume='auto'))
    assert differences(whole, tmp_path) == []


def test_an_old_best_checkpoint_goes_only_when_the_new_one_is_whole(tmp_path, whole):
    class Accuracies(Hook):
        priority = 'HIGH'

        def after_val_epoch(self, runner, metrics):
            metrics['accuracy/top1'] = float(runner.epoch)  # every one is better

    train_and_die(
        config_of(tmp_path), Accuracies(), 'HIGH', kill_in_writing(f'top1_epoch_{EPOCHS}.pth')
    )
    best = [file.name for file in tmp_path.glob('best_*.pth')]
    assert len(best) == 1
    assert best[0] != f'best_accuracy_top1_epoch_{EPOCHS}.pth'
    train(config_of(tmp_path, resume='auto'), Accuracies(), 'HIGH')
    best = [file.name for file in tmp_path.glob('best_*.pth')]
    assert best == [f'best_accuracy_top1_epoch_{EPOCHS}.pth']


@pytest.mark.parametrize('name', ['last_checkpoint', 'epoch_3.pth'])
def test_a_folder_in_the_place_of_a_file_is_told_before_the_training(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=f'{name} is a folder where a file is to go'):
        train(config_of(tmp_path))
    assert not (tmp_path / 'epoch_1.pth').exists()


def test_a_moved_folder_is_gone_on_from_where_it_is_now(tmp_path, whole):
    old, new = tmp_path / 'old', tmp_path / 'new'
    train_and_die(config_of(old), KillAt('before_train_iter', 3))
    assert (old / 'last_checkpoint').read_text() == 'epoch_3.pth'
    old.rename(new)
    train(config_of(new, resume='auto'))
    assert not old.exists()
    assert differences(whole, new) == []


def test_a_broken_checkpoint_is_passed_over_with_a_word(tmp_path, whole):
    config = config_of(tmp_path, log_level='INFO')
    config['default_hooks']['checkpoint']['max_keep_ckpts'] = 2
    train_and_die(config, KillAt('before_train_iter', 3))
    with (tmp_path / 'epoch_3.pth').open('r+b') as file:
        file.truncate(1000)
    config.update(resume=True, load_from=str(tmp_path / 'epoch_3.pth'))
    with pytest.raises(InputError, match=r'epoch_3\.pth is broken: go on from .*epoch_2\.pth'):
        train(config)
    config.update(load_from=None)
    train(config)
    said = [file.read_text() for file in tmp_path.glob('*/*.log')]
    assert any('epoch_3.pth is broken or gone: the checkpoint before it' in text for text in said)
    assert not any('of another training' in text for text in said)
    ours, theirs = (torch.load(folder / 'epoch_5.pth') for folder in (tmp_path, whole))
    for name, value in theirs['state_dict'].items():
        assert torch.equal(ours['state_dict'][name], value), name


def test_a_folder_that_cannot_be_written_is_told_before_the_training(tmp_path):
    config = config_of(tmp_path / 'work')
    config['default_hooks']['checkpoint']['out_dir'] = '/proc/nowhere'
    with pytest.raises(InputError, match=r'^default_hooks\.checkpoint\.out_dir: the folder /proc'):
        train(config)


def test_where_there_is_nothing_to_go_on_from_a_training_begins(tmp_path):
    (tmp_path / 'epoch_99.pth').write_bytes(b'somebody else')
    runner = train(config_of(tmp_path, resume='auto', log_level='INFO'))
    assert runner.epoch == EPOCHS
    (log,) = tmp_path.glob('*/*.log')
    said = log.read_text()
    assert 'has no checkpoint to go on from: the training begins' in said
    assert f'{tmp_path} has 1 checkpoints of another training, such as epoch_99.pth: ' in said
    assert said.index('by --work-dir (work_dir), or go on with') < said.index('Checkpoints will be')


def test_a_validation_alone_overwrites_nothing_and_warns_of_nothing(tmp_path):
    (tmp_path / 'epoch_99.pth').write_bytes(b'somebody else')
    Runner.from_cfg(config_of(tmp_path, log_level='INFO')).val()
    (log,) = tmp_path.glob('*/*.log')
    assert 'of another training' not in log.read_text()


@pytest.fixture(scope='module')
def stopped(tmp_path_factory):
    """A checkpoint of three epochs."""
    folder = tmp_path_factory.mktemp('stopped')
    config = config_of(folder)
    config['default_hooks']['checkpoint']['max_keep_ckpts'] = -1
    train_and_die(config, KillAt('before_train_iter', 3))
    return str(folder / 'epoch_3.pth')


def changed(config, what):
    wrapper = config['optim_wrapper']
    if what == 'model':
        config['model']['head']['similarity'] = 'cosine'
    elif what == 'rate':
        wrapper['stages'] = {**wrapper['stages'], 'last_layer': dict(last_layer=dict(lr=1))}
    elif what == 'past':
        wrapper['schedule'][0]['epochs'] = 3
    elif what == 'future':
        wrapper['schedule'][2]['epochs'] = 1
    elif what == 'batch':
        config['train_dataloader']['batch_size'] = 6
    return config


@pytest.mark.parametrize(
    ('what', 'message'),
    [
        ('model', r"model\.head\.similarity was None and is 'cosine'"),
        ('rate', r'optim_wrapper\.stages\.last_layer\.last_layer\.lr was 0\.0001 and is 1'),
        ('past', r"schedule\.1 was 'joint push' and is 'joint'; .*schedule\.2 was 'last_layer'"),
    ],
)
def test_another_training_is_refused_in_words(tmp_path, stopped, what, message):
    config = config_of(tmp_path, resume=True, load_from=stopped)
    with pytest.raises(InputError, match=f'of another training: .*{message}'):
        train(changed(config, what))


@pytest.mark.parametrize(
    ('what', 'message'),
    [
        ('future', 'the schedule from here on is another one'),
        ('batch', 'train_dataloader.batch_size was 4 and is 6'),
    ],
)
def test_what_else_differs_is_said(tmp_path, stopped, what, message):
    config = config_of(tmp_path, resume=True, load_from=stopped, log_level='INFO')
    train(changed(config, what))
    (log,) = tmp_path.glob('*/*.log')
    assert f'the run is not what it would have been: {message}' in log.read_text()
