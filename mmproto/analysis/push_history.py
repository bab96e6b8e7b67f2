"""What the pushes of a training did, as its working directory tells."""

from contextlib import suppress
from pathlib import Path

from mmproto.engine.push_record import PushRecord, epoch_folders
from mmproto.errors import InputError


def push_records(work_dir: Path) -> list[PushRecord]:
    """Every push that has left a ``push.json``, in the order of the epochs.

    A folder whose ``push.json`` is missing or broken is left out.

    Args:
        work_dir: The training's working directory; it need not exist.
    """
    records = []
    for folder in epoch_folders(work_dir).values():
        with suppress(InputError):
            records.append(PushRecord.load(folder))
    return records
