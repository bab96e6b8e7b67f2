"""The attributions as their command lines offer them, on rendered birds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import save_checkpoint
from mmpretrain import get_model

from mmproto.datasets.birds import make_birds
from mmproto.explanation.attribution import ATTRIBUTIONS

ROOT = Path(__file__).parents[2]
CONFIG = 'configs/protopnet/resnet10t_birds.py'


@pytest.fixture(scope='module')
def birds(tmp_path_factory):
    return make_birds(tmp_path_factory.mktemp('data') / 'birds', train=1, test=1, size=64)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    model = get_model(Config.fromfile(ROOT / CONFIG))
    path = tmp_path_factory.mktemp('work') / 'epoch_1.pth'
    save_checkpoint(dict(meta={}, state_dict=model.state_dict()), str(path))
    return path


def run(birds, *command):
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env={**os.environ, 'DATA_ROOT': str(birds)},
        capture_output=True,
        text=True,
        check=False,
    )


def numbers(text):
    """The rows of a Markdown table, by their first cell."""
    rows = [line.strip('| ').split(' | ') for line in text.splitlines() if line.startswith('|')]
    return {name: cells for name, *cells in rows[2:]}


@pytest.mark.slow
def test_the_measure_is_a_table_and_the_same_again(birds, checkpoint):
    command = ('tools/measure_attribution.py', CONFIG, checkpoint, '--images', 2)
    done = run(birds, *command, '--prototypes', 2, '--draws', 3)
    assert done.returncode == 0, done.stderr
    assert '2 test images, 4 scores, covered by: mean' in done.stdout
    rows = numbers(done.stdout)
    assert list(rows) == [*ATTRIBUTIONS, 'random pixels', 'random box']
    for name in ATTRIBUTIONS:
        assert all(-10 < float(fall) <= 1 for fall in rows[name][1:4])
    again = run(birds, *command, '--prototypes', 2, '--draws', 3)
    assert numbers(again.stdout) == rows
    options = ('--cover', 'blur', '--attributions', 'upsampling', '--fractions', 0.02)
    blur = run(birds, *command, *options)
    assert list(numbers(blur.stdout)) == ['upsampling', 'random pixels', 'random box']
    assert '| attribution | its box | 2% | beats random pixels |' in blur.stdout


@pytest.mark.slow
def test_pages_by_another_attribution(birds, checkpoint, tmp_path):
    image = next((birds / 'images').glob('*/*.jpg'))
    command = ('tools/explain.py', CONFIG, checkpoint, image, '--out', tmp_path / 'why')
    done = run(birds, *command, '--attribution', 'integrated_gradients')
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / 'why' / f'{image.stem}.json').read_text())
    assert figures['attribution'] == 'integrated_gradients'


@pytest.mark.slow
@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['tools/measure_attribution.py', CONFIG, '{}', '--images', 0], '--images 0: give at'),
        (['tools/measure_attribution.py', CONFIG, '{}', '--fractions', 5], '--fractions 5.0: give'),
        (['tools/measure_attribution.py', CONFIG, '{}', '--attributions', 'cam'], "'cam' is unk"),
        (['tools/explain.py', CONFIG, '{}', 'a.jpg', '--out', 'o', '--attribution', 'x'], "'x' is"),
    ],
)
def test_wrong_input_is_answered_by_one_line(birds, checkpoint, options, message):
    done = run(birds, *(str(checkpoint) if option == '{}' else option for option in options))
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert message in line
    assert 'Traceback' not in done.stderr
