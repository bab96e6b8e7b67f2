"""What a push did, as ``push.json`` in the folder of the push says it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mmproto.datasets.checks import class_name
from mmproto.datasets.image_dataset import ImageDataset
from mmproto.engine.push_certificate import PushCertificate
from mmproto.engine.validation import changes, in_both
from mmproto.models import ProtoPNetHead
from mmproto.utils.files import whole_file
from mmproto.utils.json_file import parsed, read_json

# A class is said to collapse when its prototypes share patches down to half their number.
COLLAPSED = 0.5
NAMED = 5
# Metrics of which a push may not take half.
HALVED = ('accuracy/top1', 'multi-label/mAP')


@dataclass(frozen=True)
class SharedPatches:
    """A class with fewer patches than prototypes.

    Attributes:
        class_index: The class, -1 for none.
        class_name: Its name, if the data set knows it.
        prototypes: Number of its prototypes.
        patches: Number of patches that they are.
    """

    class_index: int
    class_name: str | None
    prototypes: int
    patches: int

    def __str__(self) -> str:
        label = 'no class' if self.class_index < 0 else str(self.class_index)
        name = f' ({self.class_name})' if self.class_name else ''
        return f'{label}{name}: {self.prototypes} on {self.patches}'


@dataclass(frozen=True)
class PushRecord:
    """What a push did.

    Attributes:
        epoch: Number of epochs trained before it, None if that is not known.
        prototypes: Number of prototypes.
        patches: Number of different patches that they are.
        classes: Number of classes that have prototypes.
        mean_distance: Distance that a prototype moved, as its similarity measures it, on average.
        max_distance: The same, at most.
        shared: The classes whose prototypes share patches.
        before: Validation metrics before the push, by name; empty without a validation.
        after: The same after it, empty as long as they are not known.
        certificate: How many predictions on the validation set it has left as they were, and how
            many were certain to stay; None without a validation, or in older files.
    """

    epoch: int | None
    prototypes: int
    patches: int
    classes: int
    mean_distance: float
    max_distance: float
    shared: list[SharedPatches]
    before: dict[str, float]
    after: dict[str, float]
    certificate: PushCertificate | None = None

    FILE = 'push.json'

    def save(self, folder: Path) -> None:
        """Write ``push.json``; the folder is made if it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / self.FILE) as file:
            file.write_text(json.dumps(asdict(self), indent=1), encoding='utf-8')

    @classmethod
    def load(cls, folder: Path) -> 'PushRecord':
        """Read the ``push.json`` of a folder.

        Raises:
            InputError: If there is none, or it is damaged.
        """
        file = folder / cls.FILE
        return parsed(cls, read_json(file), str(file))

    def scalars(self) -> dict[str, float]:
        """Return what to plot: how far prototypes moved, onto how many patches, what that did."""
        scalars: dict[str, float] = {
            'push/mean_distance': self.mean_distance,
            'push/patches': self.patches,
        }
        for metric, (before, after) in in_both(self.before, self.after).items():
            scalars |= {f'push/{metric}/before': before, f'push/{metric}/after': after}
        if self.certificate is not None:
            percentages = self.certificate.percentages()
            scalars |= {f'push/{name}': percentage for name, percentage in percentages.items()}
        return scalars

    def summaries(self) -> list[str]:
        """How far the prototypes moved, how many patches they are and what was certain to stay."""
        moved = (
            f'{self.prototypes} prototypes moved by a distance of '
            f'{self.mean_distance:.4f} on average and {self.max_distance:.4f} at most, onto '
            f'{self.patches} different patches ({self.prototypes - self.patches} share the patch '
            'of another)'
        )
        return [moved] if self.certificate is None else [moved, str(self.certificate)]

    def changes(self) -> list[str]:
        """One line a metric: what it was before the push, and is after it."""
        return changes(self.before, self.after)

    def losses(self) -> list[str]:
        """One line where the push has more than halved the accuracy."""
        return [
            f'{metric} is less than half of what it was, {new:.2f} after {old:.2f}: the prototypes '
            'were not near any patch. Where no later push mends it, let them begin at patches '
            '(PrototypeStartHook), push more often (optim_wrapper.schedule.push_epochs) or pull '
            'harder (model.head.loss.cluster.weight)'
            for metric, (old, new) in in_both(self.before, self.after).items()
            if metric in HALVED and new < old / 2
        ]

    def warnings(self) -> list[str]:
        """One line for the classes whose prototypes collapse, if there are any."""
        collapsed = [one for one in self.shared if one.patches <= COLLAPSED * one.prototypes]
        if not collapsed:
            return []
        named = '; '.join(map(str, collapsed[:NAMED]))
        return [
            f'prototypes collapse onto few patches in {len(collapsed)} of {self.classes} classes '
            f'({named}{"; ..." if len(collapsed) > NAMED else ""}): fewer prototypes a class or a '
            'weaker cluster cost help'
        ]


def push_record(
    head: ProtoPNetHead,
    dataset: ImageDataset,
    epoch: int | None = None,
    before: Mapping[str, float] | None = None,
    after: Mapping[str, float] | None = None,
    certificate: PushCertificate | None = None,
) -> PushRecord:
    """Say what the push of a head has just done.

    Args:
        head: The :class:`ProtoPNetHead`, pushed.
        dataset: The push set, for the names of the classes.
        epoch: Number of epochs trained.
        before: Validation metrics before the push.
        after: Validation metrics after it.
        certificate: What it was certain not to change.
    """
    patch = head.prototype_patches
    classes = head.prototype_class.unique().tolist()
    of_class = {label: patch[head.prototype_class == label] for label in classes}
    counts = {label: (len(own), len(own.unique(dim=0))) for label, own in of_class.items()}
    return PushRecord(
        epoch=epoch,
        prototypes=len(patch),
        patches=len(patch.unique(dim=0)),
        classes=len(classes),
        mean_distance=head.prototype_distance.mean().item(),
        max_distance=head.prototype_distance.max().item(),
        shared=[
            SharedPatches(label, class_name(dataset, label), prototypes, patches)
            for label, (prototypes, patches) in counts.items()
            if patches < prototypes
        ],
        before=dict(before or {}),
        after=dict(after or {}),
        certificate=certificate,
    )


def epoch_folder(work_dir: Path | str, epoch: int) -> Path:
    """Return the folder of the push after that number of epochs, in a working directory."""
    return Path(work_dir) / 'prototypes' / f'epoch_{epoch}'


def epoch_folders(work_dir: Path | str) -> dict[int, Path]:
    """Return the folders that the pushes of a training have left, by epoch and in that order."""
    folders = Path(work_dir).glob('prototypes/epoch_*')
    numbered = {int(path.name[6:]): path for path in folders if path.name[6:].isdecimal()}
    return dict(sorted(numbered.items()))
