import argparse
import os

import pytest
import torch
from mmengine.config import Config

from mmproto.errors import InputError
from mmproto.utils.command_line import _set_up_processes, one_line_errors
from mmproto.utils.files import whole_file


def test_a_full_disk_ends_a_program_by_one_line(small_disk):
    file = small_disk(64) / 'a.pth'
    with pytest.raises(SystemExit) as caught, one_line_errors(), whole_file(file) as part:
        part.write_bytes(bytes(2**17))
    advice = 'make room there, or give another folder'
    assert str(caught.value) == f'error: {file}: No space left on device: {advice}'


def test_a_disk_that_cannot_be_written_likewise(small_disk):
    disk = small_disk(None)
    with pytest.raises(SystemExit) as caught, one_line_errors():
        (disk / 'folder').mkdir()
    text = f'error: {disk / "folder"}: Read-only file system: give another folder'
    assert str(caught.value) == text


def test_an_error_is_one_line_whatever_is_in_it():
    with pytest.raises(SystemExit) as caught, one_line_errors():
        raise InputError('class a\nb has no image')
    assert str(caught.value) == 'error: class a b has no image'
    with pytest.raises(SystemExit) as caught, one_line_errors():
        raise InputError(
            'Caught InputError in DataLoader worker process 0.\nTraceback (most recent call '
            'last):\n  File "x.py", line 1\nmmproto.errors.InputError: a.png is\nbroken\n'
        )
    assert str(caught.value) == 'error: a.png is broken'


def test_an_argument_that_is_no_text_ends_a_program_by_one_line(monkeypatch):
    monkeypatch.setattr('sys.argv', ['tools/test.py', os.fsdecode(b'caf\xe9.pth')])
    with pytest.raises(SystemExit) as caught, one_line_errors():
        pytest.fail('it is not begun')
    assert str(caught.value).startswith(r"error: b'caf\xe9.pth' is no UTF-8: rename the file or")


def test_what_no_disk_says_keeps_its_traceback():
    with pytest.raises(ConnectionResetError), one_line_errors():
        raise ConnectionResetError(104, 'Connection reset by peer')


@pytest.mark.skipif(torch.cuda.is_available(), reason='for processes on CPUs')
@pytest.mark.parametrize(
    ('launcher', 'settings', 'message'),
    [
        ('slurm', {}, '--launcher slurm needs a GPU: on CPUs start it by tools/dist_train.sh'),
        ('pytorch', dict(sync_bn='torch'), 'sync_bn=torch needs GPUs: on CPUs let batch norm'),
        (
            'pytorch',
            dict(env_cfg=dict(dist_cfg=dict(timeout='soon'))),
            "env_cfg.dist_cfg.timeout='soon': give seconds",
        ),
        ('pytorch', dict(env_cfg=dict(dist_cfg=dict(timeout=0))), 'timeout=0: give seconds'),
    ],
)
def test_what_processes_on_cpus_cannot_is_one_line(launcher, settings, message):
    args = argparse.Namespace(launcher=launcher, local_rank=0)
    with pytest.raises(InputError) as error:
        _set_up_processes(Config(settings), args)
    assert message in str(error.value)
