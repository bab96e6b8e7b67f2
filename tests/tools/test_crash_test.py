"""The crash test, for a few kills, and that it would see a difference."""

import runpy
import sys

import pytest
import torch
from mmengine.logging import HistoryBuffer

from tests.command import ROOT, run_command

differences = runpy.run_path(str(ROOT / 'tools/crash_test.py'))['differences']


@pytest.mark.slow
@pytest.mark.parametrize('options', [[], ['--processes', '2'], ['--baseline', '--no-validate']])
def test_killed_trainings_end_as_the_unbroken_one(options):
    code, text = run_command(
        'tools/crash_test.py', '--kills', 2, *options, launcher=(sys.executable,)
    )
    assert code == 0, text
    assert '2 equal endings' in text


def folder_of(root, name, weight=1.0, loss=1.0, time=1.0, picture=b'picture', more=()):
    """A working directory with a checkpoint, a picture and a log."""
    folder = root / name
    (folder / '20260101_000000').mkdir(parents=True)
    (folder / '20260101_000000' / 'log').write_text(name)
    (folder / 'image.jpg').write_bytes(picture)
    scalars = {'train/loss': HistoryBuffer([loss], [1]), 'train/time': HistoryBuffer([time], [1])}
    hub = dict(log_scalars=scalars, runtime_info=dict(best_ckpt=f'{folder}/best.pth', eta=time))
    state = dict(weight=torch.tensor([weight]))
    torch.save(dict(state_dict=state, message_hub=hub), folder / 'epoch_1.pth')
    for file in more:
        (folder / file).touch()
    return folder


def test_clocks_and_the_folders_name_are_no_difference(tmp_path):
    assert differences(folder_of(tmp_path, 'a'), folder_of(tmp_path, 'b', time=2.0)) == []


@pytest.mark.parametrize(
    ('change', 'found'),
    [
        (dict(weight=1.0000001), 'epoch_1.pth: .state_dict.weight'),
        (dict(loss=2.0), 'epoch_1.pth: .message_hub.log_scalars.train/loss'),
        (dict(picture=b'another'), 'image.jpg'),
        (dict(more=['epoch_2.pth']), 'epoch_2.pth is in one of the two'),
    ],
)
def test_everything_else_is(tmp_path, change, found):
    assert differences(folder_of(tmp_path, 'a'), folder_of(tmp_path, 'b', **change)) == [found]
