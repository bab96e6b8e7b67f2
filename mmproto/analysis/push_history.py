"""What the pushes of a training did, as its working directory tells."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from mmproto.visualization.prototype_images import epoch_folders

ACCURACY = 'push/accuracy/top1'


@dataclass(frozen=True)
class PushRecord:
    """What a push did, as its folder and the log tell.

    Attributes:
        name: Name of the push's folder, 'epoch_32'.
        prototypes: Number of prototypes.
        patches: On how many patches they are.
        mean_distance: How far they were from their patches on average.
        greatest_distance: The same, at most.
        before: Accuracy before the push, in percent, None if the log does not tell.
        after: Accuracy after the push, in percent, likewise.
    """

    name: str
    prototypes: int
    patches: int
    mean_distance: float
    greatest_distance: float
    before: float | None
    after: float | None


def push_records(work_dir: Path) -> list[PushRecord]:
    """Every push that has left a folder ``prototypes/epoch_N``, in the order of the epochs.

    A folder whose ``prototypes.json`` is missing or broken is left out. The accuracies come from
    the scalars of the training's visualizer; of several runs the latest that has them counts.

    Args:
        work_dir: The training's working directory; it need not exist.
    """
    scalars = _push_scalars(work_dir)
    records = [
        _push_record(folder, scalars.get(epoch, {}))
        for epoch, folder in epoch_folders(work_dir).items()
    ]
    return [record for record in records if record is not None]


def _push_record(folder: Path, scalars: dict) -> PushRecord | None:
    """What the push of a folder did, None if it does not tell."""
    try:
        prototypes = json.loads((folder / 'prototypes.json').read_text(encoding='utf-8'))
        distances = [float(one['distance']) for one in prototypes]
        patches = {(one['image_index'], *one['location']) for one in prototypes}
        return PushRecord(
            name=folder.name,
            prototypes=len(prototypes),
            patches=len(patches),
            mean_distance=fmean(distances),
            greatest_distance=max(distances),
            before=scalars.get(f'{ACCURACY}/before'),
            after=scalars.get(f'{ACCURACY}/after'),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _push_scalars(work_dir: Path) -> dict[int, dict]:
    """The scalars of each push by its epoch; runs are named by the time of their start."""
    return {
        line['step']: line
        for file in sorted(work_dir.glob('*/vis_data/scalars.json'))
        for line in _json_lines(file)
        if f'{ACCURACY}/before' in line and 'step' in line
    }


def _json_lines(file: Path) -> Iterator[dict]:
    """The lines of a file that are JSON objects; a run that was cut off may leave half a line."""
    try:
        lines = file.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value
