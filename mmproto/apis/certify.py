"""What moving the prototypes from one checkpoint to another can change on the test set."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from mmproto.apis.checkpoint_editor import CheckpointEditor
from mmproto.apis.classifier import load_classifier
from mmproto.apis.one_class import check_one_class
from mmproto.datasets.checks import check_labels
from mmproto.engine.push_certificate import MoveWatcher, PushCertificate
from mmproto.errors import InputError
from mmproto.models.heads import ASSUMPTIONS, MoveEffect

PROTOTYPES = 'head.prototype_vectors'
LAST_LAYER = 'head.last_layer.'
# What the move itself changes: the prototypes, and where they are noted to come from.
MOVED = {
    PROTOTYPES,
    'head.prototype_image',
    'head.prototype_location',
    'head.prototype_distance',
    'head.prototypes_are_patches',
}


@dataclass(frozen=True)
class Certification:
    """What the move of the prototypes does to the images of the test set.

    Attributes:
        before: The checkpoint before the move.
        after: That after it.
        other_last_layer: Whether the last layers differ: both are given that of the first then.
        moves: How far each prototype moves (P,), in the metric of the similarity.
        effect: What that does to each image, in the order of the test set.
    """

    before: str
    after: str
    other_last_layer: bool
    moves: Tensor
    effect: MoveEffect

    @property
    def certificate(self) -> PushCertificate:
        """The images, counted."""
        return PushCertificate.of(self.effect)

    def to_json(self) -> dict[str, Any]:
        """Return everything as ``json.dump`` takes it; an infinite radius is None."""
        columns = {
            name: values.tolist()
            for name, values in vars(self.effect).items()
            if values is not None
        }
        images = [dict(zip(columns, values)) for values in zip(*columns.values())]
        for image in images:
            image['radius'] = image['radius'] if image['radius'] < float('inf') else None
            if 'assumptions' in image:
                image['assumptions'] = dict(zip(ASSUMPTIONS, image['assumptions']))
        return dict(
            before=self.before,
            after=self.after,
            other_last_layer=self.other_last_layer,
            certificate=asdict(self.certificate),
            moves=self.moves.tolist(),
            images=images,
        )


@torch.no_grad()
def certify_checkpoints(cfg: Config, before: str, after: str) -> Certification:
    """Compare two checkpoints that differ in where their prototypes are.

    On several processes each has its share of the test set, and all return the same.

    Args:
        cfg: The config of a ProtoPNet, with a ``test_dataloader``.
        before: Its checkpoint before the prototypes moved.
        after: One after it.

    Raises:
        InputError: If they differ in what patches and classes are too, if the similarity has no
            metric, or if the test set has other classes.
    """
    if cfg.get('test_dataloader') is None:
        raise InputError('the config has no test_dataloader: add one that gives labelled images')
    moved = load_classifier(cfg, after).state_dict()
    editor = CheckpointEditor(cfg, before)
    model, runner = editor.model, editor.runner
    check_one_class(model, 'a certificate')
    model.head.last_layer.check_whole('a certificate')
    other_last_layer = _check_same_network(model.state_dict(), moved, before, after)
    watcher = MoveWatcher(model.head, moved[PROTOTYPES], with_radius=True)
    moves = watcher.moved.moves
    if moves is None:
        raise InputError(
            f'{type(model.head.similarity).__name__} names no metric, so nothing can be '
            'certified: give it one, see docs/extend.md'
        )
    dataloader = runner.build_dataloader(runner.cfg.test_dataloader)
    dataset: Any = dataloader.dataset
    check_labels(dataset, model.head.num_classes, 'test_dataloader')
    batch_sampler: Any = dataloader.batch_sampler
    for batch, images in zip(dataloader, batch_sampler):
        data = model.data_preprocessor(batch, training=False)
        watcher(model.extract_feat(data['inputs']), data['data_samples'], images)
    return Certification(
        before=Path(before).name,
        after=Path(after).name,
        other_last_layer=other_last_layer,
        moves=moves.cpu(),
        effect=watcher.effect(),
    )


def _check_same_network(
    before: Mapping[str, Tensor], after: Mapping[str, Tensor], *names: str
) -> bool:
    """Raise an InputError if more than prototypes and last layer differ; return if the last does.

    Args:
        before: State of the one.
        after: State of the other.
        names: Names of the two.
    """
    one, other = names
    counts = len(before[PROTOTYPES]), len(after[PROTOTYPES])
    if counts[0] != counts[1]:
        raise InputError(
            f'{one} has {counts[0]} prototypes and {other} has {counts[1]}: give two checkpoints '
            'with the same ones, such as one and what tools/push.py makes of it'
        )

    def same(name: str) -> bool:
        return torch.equal(before[name].cpu(), after[name])

    differing = [
        name for name in before if not (name in MOVED or name.startswith(LAST_LAYER) or same(name))
    ]
    if differing:
        parts = sorted({name.split('.')[0] for name in differing})
        raise InputError(
            f'{one} and {other} differ in more than their prototypes ({", ".join(parts)}; '
            f'{differing[0]} to begin with): give a checkpoint and what tools/push.py makes of it'
        )
    return not all(same(name) for name in before if name.startswith(LAST_LAYER))
