"""Whatever became of the file that names the last checkpoint, a whole one is gone on from."""

import os

import pytest
import torch

from mmproto.engine.last_checkpoint import last_checkpoint

NAMED = {
    'nothing': b'', 'blanks': b' \r\n', 'binary': bytes(range(128, 256)), 'nul': b'epoch_2\0.pth',
    'what is gone': b'epoch_1.pth', 'a folder': b'.', 'the way up': b'../../etc/passwd',
    'a long name': b'x' * 5000, 'far too much': b'x' * 10**6,
    'several': b'epoch_1.pth\nepoch_2.pth',
}  # fmt: skip


@pytest.fixture
def work_dir(tmp_path):
    for name in ('epoch_2', 'epoch_9', 'epoch_10', 'best_top1_epoch_11', 'start'):
        torch.save({}, tmp_path / f'{name}.pth')
    return tmp_path


@pytest.mark.parametrize('name', NAMED)
def test_a_name_that_is_none_leads_to_the_highest_epoch(work_dir, name):
    (work_dir / 'last_checkpoint').write_bytes(NAMED[name])
    assert last_checkpoint(work_dir) == work_dir / 'epoch_10.pth'


def test_what_is_no_file_is_not_waited_for(work_dir):
    assert last_checkpoint(work_dir) == work_dir / 'epoch_10.pth'  # without any
    os.mkfifo(work_dir / 'last_checkpoint')
    os.mkfifo(work_dir / 'epoch_12.pth')
    (work_dir / 'epoch_11.pth').mkdir()
    assert last_checkpoint(work_dir) == work_dir / 'epoch_10.pth'


def test_the_name_counts_if_it_can_be_read(work_dir, tmp_path_factory):
    for name in (b'epoch_9.pth\r\n', b'/elsewhere/before/epoch_9.pth'):
        (work_dir / 'last_checkpoint').write_bytes(name)
        assert last_checkpoint(work_dir) == work_dir / 'epoch_9.pth'
    (work_dir / 'last_checkpoint').write_text('epoch_7.pth')  # the later ones may be another run's
    assert last_checkpoint(work_dir) == work_dir / 'epoch_2.pth'
    other = tmp_path_factory.mktemp('out_dir') / 'epoch_3.pth'
    torch.save({}, other)
    (work_dir / 'last_checkpoint').write_text(str(other))
    assert last_checkpoint(work_dir) == other
    assert last_checkpoint(tmp_path_factory.mktemp('empty')) is None
