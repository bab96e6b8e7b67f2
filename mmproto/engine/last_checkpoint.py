"""Which checkpoint of a working directory a training goes on from."""

import logging
import re
from os.path import isfile
from pathlib import Path
from zipfile import ZipFile

from mmengine.logging import print_log

from mmproto.errors import InputError
from mmproto.utils.data_file import check_data_file
from mmproto.utils.files import existing_checkpoint, write_durably

# MMEngine's name of the file that names the last checkpoint.
LAST = 'last_checkpoint'
LONGEST = 10_000  # bytes of it


def note_last_checkpoint(work_dir: Path, checkpoint: Path) -> None:
    """Name the last checkpoint, as seen from the working directory: it may be moved or copied."""
    inside = checkpoint.is_relative_to(work_dir)
    name = checkpoint.relative_to(work_dir) if inside else checkpoint.absolute()
    write_durably(work_dir / LAST, str(name).encode())


def last_checkpoint(work_dir: Path | str) -> Path | None:
    """Return the last whole checkpoint of a working directory, None if it has none.

    That is the one named last; where that is broken, the newest whole one that came before it, and
    where no file says which was last, the one of the highest epoch. A warning says so.

    Args:
        work_dir: The working directory, which may have been moved or copied.
    """
    work_dir = Path(work_dir)
    for file in _newest_first(work_dir):
        if is_whole(file):
            return file
        _warn(f'{file} is broken or gone: the checkpoint before it is taken')
    return None


def whole_checkpoint(path: str) -> str:
    """Return the path of a checkpoint, if it is whole, or an address.

    Raises:
        InputError: If there is none, or it is broken; then it names one that is not.
    """
    existing_checkpoint(path)
    if '://' not in path and not is_whole(Path(path)):
        before = _before(Path(path))
        other = next((file for file in before if is_whole(file)), None)
        what = f'go on from {other}' if other else 'no whole one before it lies beside it'
        raise InputError(f'the checkpoint {path} is broken: {what}')
    return path


def is_whole(file: Path) -> bool:
    """Whether a checkpoint can be read to its end."""
    try:
        check_data_file(file)
        with ZipFile(file) as archive:
            return archive.testzip() is None
    except Exception:  # a damaged file makes its reader raise anything
        return False


def _newest_first(work_dir: Path) -> list[Path]:
    """Return the checkpoint that is named last, and those before it."""
    try:
        check_data_file(work_dir / LAST, LONGEST)
        name = (work_dir / LAST).read_text().strip()
    except (OSError, ValueError):  # the latter for what is no text
        name = ''
    # What MMEngine alone writes has the folder in it, as it was then.
    beside = work_dir / Path(name).name
    named = beside if isfile(beside) else work_dir / name
    before = _before(named)
    if not (before or isfile(named)):
        before = _numbered(work_dir, 'epoch_') or _numbered(work_dir, 'iter_')
    if not name:
        if before:
            _warn(f'{work_dir / LAST} names no checkpoint: the one of the highest epoch is taken')
        return before
    return [named, *before]


def _before(checkpoint: Path) -> list[Path]:
    """Return the checkpoints beside one that are of earlier epochs, the newest first."""
    number = re.search(r'([0-9]+)\.pth$', checkpoint.name)
    if number is None:
        return []
    earlier = _numbered(checkpoint.parent, checkpoint.name[: number.start()])
    return [file for file in earlier if _number(file) < int(number[1])]


def _numbered(folder: Path, stem: str) -> list[Path]:
    """Return the files of a folder that are called ``stem`` and a number, the highest first."""
    name = re.compile(re.escape(stem) + r'[0-9]+\.pth')
    files = [file for file in folder.glob('*.pth') if name.fullmatch(file.name)]
    return sorted(files, key=_number, reverse=True)


def _number(file: Path) -> int:
    return int(re.findall(r'[0-9]+', file.stem)[-1])


def _warn(message: str) -> None:
    print_log(message, logger='current', level=logging.WARNING)
