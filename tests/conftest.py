import subprocess
from pathlib import Path

import pytest
from mmengine.registry import init_default_scope

import mmproto  # noqa: F401
import tests.toy  # noqa: F401

DATA = Path(__file__).parent / 'data'


@pytest.fixture(autouse=True)
def _mmpretrain_scope():
    init_default_scope('mmpretrain')


@pytest.fixture
def small_disk(tmp_path):
    """Makes disks of a size in kilobytes, or read-only ones of None; needs the right to mount."""
    disks = []

    def make(kilobytes):
        disk = tmp_path / f'disk{len(disks)}'
        disk.mkdir()
        option = 'ro' if kilobytes is None else f'size={kilobytes}k'
        command = ['/bin/mount', '-t', 'tmpfs', '-o', option, 'tmpfs', str(disk)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip('no right to mount a disk')
        disks.append(disk)
        return disk

    yield make
    for disk in disks:
        subprocess.run(['/bin/umount', '-l', str(disk)], check=True)


@pytest.fixture
def data_dir() -> Path:
    return DATA
