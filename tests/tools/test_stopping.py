"""Ctrl-C and SIGTERM end a training with one line, and the command in it goes on."""

import os
import runpy
import shlex
import signal
import subprocess
import sys

import pytest

from mmproto.datasets.birds import make_birds
from tests.command import ROOT

pytestmark = pytest.mark.slow

crash_test = runpy.run_path(str(ROOT / 'tools/crash_test.py'))
SETTINGS = [*crash_test['SETTINGS'], *crash_test['OF_PROTOPNET']]
EPOCHS = crash_test['EPOCHS']


@pytest.fixture(scope='module')
def options(tmp_path_factory):
    birds = make_birds(tmp_path_factory.mktemp('data') / 'birds', classes=3, train=8, test=4)
    return [*SETTINGS, 'model.backbone.drop_path_rate=0', f'data_root={birds}']


def start(*arguments, launcher=()):
    """Start tools/train.py as a shell does, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, *launcher, 'tools/train.py', *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def stop_at(process, text, number, everyone):
    """Send a signal once a line has been printed; what comes after it, and the errors."""
    for line in process.stdout:
        if text in line:
            break
    (os.killpg if everyone else os.kill)(process.pid, number)
    after, errors = process.communicate(timeout=120)
    return after, errors


@pytest.mark.parametrize(
    ('number', 'everyone', 'status'),
    [(signal.SIGINT, True, 130), (signal.SIGTERM, True, 143), (signal.SIGTERM, False, 143)],
)
def test_one_line_says_how_to_go_on(tmp_path, options, number, everyone, status):
    arguments = ['protopnet/resnet10t_birds.py', '--work-dir', tmp_path, '--cfg-options', *options]
    process = start(*arguments)
    _, errors = stop_at(process, 'Epoch(train) [2][2/4]', number, everyone)
    assert process.returncode == status, errors
    said = [line for line in errors.splitlines() if not line.startswith(('push', 'scores'))]
    (line,) = [line for line in said if line.startswith('stopped')]
    assert said[-1] == line
    assert not any('Traceback' in text for text in said)
    assert f'stopped in epoch 2 of {EPOCHS}; {tmp_path}/epoch_1.pth is whole: tools' in line
    command = line.partition(' is whole: ')[2].removesuffix(' goes on from it')
    assert shlex.split(command) == ['tools/train.py', *map(str, arguments), '--resume']
    again = start(*shlex.split(command)[1:])
    printed, errors = again.communicate(timeout=300)
    assert again.returncode == 0, errors
    assert 'Epoch 1 of' not in printed
    assert (tmp_path / f'epoch_{EPOCHS}.pth').is_file()
