import pytest

from mmproto.errors import InputError
from mmproto.utils.command_line import one_line_errors
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


def test_what_no_disk_says_keeps_its_traceback():
    with pytest.raises(ConnectionResetError), one_line_errors():
        raise ConnectionResetError(104, 'Connection reset by peer')
