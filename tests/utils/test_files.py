import os
import stat
from pathlib import Path

import pytest

from mmproto.errors import InputError
from mmproto.utils.files import check_out_file, make_writable, whole_file


def half_written(file):
    file.write_text('half')
    raise ZeroDivisionError


def test_a_file_is_written_whole_or_stays_as_it_was(tmp_path):
    file = tmp_path / 'a.txt'
    file.write_text('old')
    with pytest.raises(ZeroDivisionError), whole_file(file) as part:
        half_written(part)
    assert file.read_text() == 'old'
    with whole_file(file) as part:
        part.write_text('new')
    assert [path.read_text() for path in tmp_path.iterdir()] == ['new']


def test_a_full_disk_names_the_file_and_leaves_nothing_behind(small_disk):
    disk = small_disk(64)
    with pytest.raises(OSError, match='No space left') as caught, whole_file(disk / 'a') as part:
        part.write_bytes(bytes(2**17))
    assert caught.value.filename == str(disk / 'a')
    assert not list(disk.iterdir())


def test_another_file_that_cannot_be_read_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, whole_file(tmp_path / 'a'):
        (tmp_path / 'b').read_text()
    assert os.fspath(caught.value.filename) == str(tmp_path / 'b')


def test_folders_and_files_are_tried_before_any_work(tmp_path, small_disk):
    make_writable(tmp_path / 'new' / 'folder')
    check_out_file(tmp_path / 'new' / 'folder' / 'file.txt')
    assert not list((tmp_path / 'new' / 'folder').iterdir())
    full, fixed = small_disk(16), small_disk(None)
    with pytest.raises(OSError, match='No space'):
        (full / 'block').write_bytes(bytes(2**17))
    regular = tmp_path / 'regular'
    regular.touch()
    for folder, reason in (
        (full, 'No space left'),
        (fixed, 'Read-only'),
        (regular, 'File exists'),
        (regular / 'below', 'Not a directory'),
    ):
        with pytest.raises(
            InputError, match=rf'{folder.name} cannot be written \({reason}.*another'
        ):
            make_writable(folder)
    for folder in (full, fixed):
        with pytest.raises(InputError, match=r'x.pth cannot be written \(.*in another folder'):
            check_out_file(folder / 'x.pth')
    for wrong in (regular / 'x.pth', tmp_path / 'no' / 'x.pth', tmp_path / 'new'):
        with pytest.raises(InputError, match='give a file in a folder that is there'):
            check_out_file(wrong)


def test_a_device_is_not_replaced_by_a_file():
    with pytest.raises(InputError, match='/dev/null: give a file'):
        check_out_file(Path('/dev/null'))
    assert stat.S_ISCHR(os.stat('/dev/null').st_mode)


def test_two_processes_may_write_one_file(tmp_path, monkeypatch):
    monkeypatch.setenv('RANK', '0')
    with whole_file(tmp_path / 'a.json') as one:
        one.write_text('0')
        monkeypatch.setenv('RANK', '1')
        with whole_file(tmp_path / 'a.json') as other:
            other.write_text('1')
    assert (tmp_path / 'a.json').read_text() == '0'
    assert [path.name for path in tmp_path.iterdir()] == ['a.json']


def test_names_that_are_no_text_are_refused(tmp_path):
    odd = tmp_path / os.fsdecode(b'\xff')
    with pytest.raises(InputError, match=r'\\xff\' is no UTF-8'):
        make_writable(odd)
    odd.mkdir()
    with pytest.raises(InputError, match='is no UTF-8'):
        check_out_file(odd / 'a.pth')
