"""Drops prototypes of a checkpoint by a rule, and fits the last layer to those that stay."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmproto.apis.checkpoint_editor import CheckpointEditor
from mmproto.datasets.checks import labels_of
from mmproto.engine.nearest_images_search import find_nearest_images
from mmproto.engine.validation import changes
from mmproto.errors import InputError
from mmproto.functional import (
    all_but,
    emptied_classes,
    keep_last_of_class,
    merge_duplicates,
    speaks_for_its_class,
)
from mmproto.models import ProtoPNetHead


@dataclass(frozen=True)
class Selection:
    """What a rule says of P prototypes.

    Attributes:
        keep: Bool (P,), True for the prototypes to keep.
        merit: By what the best of a class is told (P,), see :func:`keep_last_of_class`.
        same_logits: Whether the logits are the same without the others.
        weight: Another last layer (C, P), in which those that stay stand for others; None for the
            one that there is.
    """

    keep: Tensor
    merit: Tensor
    same_logits: bool
    weight: Tensor | None = None


Rule = Callable[[CheckpointEditor], Selection]


@dataclass(frozen=True)
class PruneRecord:
    """What pruning did.

    Attributes:
        prototypes: Number of prototypes before.
        kept: Number of those that stay.
        emptied: Classes that have lost all of their prototypes.
        spared: For each class that would have lost all of them the number, before pruning, of
            the one that stays.
        before: Validation metrics before, by name; empty without a validation set.
        after: The same after.
        solved: What the solver of the last layer gives, None where it was not solved.
    """

    prototypes: int
    kept: int
    emptied: list[int]
    spared: dict[int, int]
    before: dict[str, float]
    after: dict[str, float]
    solved: dict[str, float] | None

    def lines(self, class_names: Sequence[str]) -> Iterator[str]:
        """Say so, line by line.

        Args:
            class_names: Name of every class.
        """
        yield f'{self.kept} of {self.prototypes} prototypes stay'
        for label, prototype in self.spared.items():
            yield (
                f'class {class_names[label]} would have lost all of its prototypes: it keeps '
                f'the best of them, number {prototype} before'
            )
        for label in self.emptied:
            yield f'class {class_names[label]} has no prototype any more'
        if self.solved is not None:
            found = ', '.join(f'{name} {value:.6g}' for name, value in self.solved.items())
            yield f'the last layer is solved again: {found}'
        yield from changes(self.before, self.after)


def prune_checkpoint(
    editor: CheckpointEditor, rule: Rule, allow_empty: bool = False, solve: bool = True
) -> PruneRecord:
    """Drop prototypes by a rule; a class keeps its best one in any case.

    .. code:: python

        editor = CheckpointEditor(cfg, 'epoch_91.pth')
        record = prune_checkpoint(editor, partial(by_neighbours, k=6, threshold=3))
        editor.save(Path('pruned.pth'))

    Args:
        editor: The checkpoint, which is not saved here.
        rule: :func:`by_neighbours`, :func:`by_weight`, :func:`by_duplicates` or :func:`by_number`,
            its settings filled in.
        allow_empty: Whether a class may lose all of its prototypes.
        solve: Whether to solve the last layer's problem again, where the rule changes logits.

    Raises:
        InputError: If no prototype would be left, the rule cannot be applied to this model, the
            data have other classes, or the last layer is too large to be solved.
    """
    head = editor.model.head
    if solve:
        head.last_layer.check_whole('solving the last layer, which --keep-last-layer leaves out,')
    before = editor.validate()
    selection = rule(editor)
    keep, classes = selection.keep, head.prototype_class
    if not allow_empty:
        keep = keep_last_of_class(keep, classes, selection.merit)
    if not keep.any():
        raise InputError('not one prototype would be left: keep some, or lower the threshold')
    spared = (keep & ~selection.keep).nonzero().flatten()
    count, emptied = len(keep), emptied_classes(keep, classes)
    if selection.weight is not None:
        head.set_last_layer(selection.weight)
    head.prune(keep)
    changed = not (selection.same_logits or bool(keep.all()))
    solved = editor.solve_last_layer() if solve and changed else None
    return PruneRecord(
        prototypes=count,
        kept=int(keep.sum()),
        emptied=emptied,
        spared=dict(zip(classes[spared].tolist(), spared.tolist())),
        before=before,
        after=editor.validate(),
        solved=solved,
    )


def by_neighbours(editor: CheckpointEditor, k: int = 6, threshold: int = 3) -> Selection:
    """Keep the prototypes that speak for their class (supplement, section S8).

    Of the k training images whose nearest patch is nearest to a prototype at least ``threshold``
    have to be of its class.

    Raises:
        InputError: If these are no numbers to go by, or the prototypes have no class.
    """
    head = editor.model.head
    dataset: Any = editor.push_dataloader.dataset
    if (head.prototype_class < 0).any():
        raise InputError(
            'prototypes without a class have no neighbours of their class: prune them by weight, '
            'as duplicates or by a list'
        )
    if not 1 <= threshold <= k:
        raise InputError(f'threshold={threshold}: give a number from 1 to k={k}')
    labels = torch.from_numpy(labels_of(dataset)).to(head.prototype_class.device)
    if k > len(labels):
        raise InputError(f'k={k}: push_dataloader.dataset has no more than {len(labels)} images')
    classes = find_nearest_images(editor.model, editor.push_dataloader, k).classes(labels)
    return Selection(
        keep=speaks_for_its_class(classes, head.prototype_class, threshold),
        merit=(classes == head.prototype_class[:, None]).sum(dim=1),
        same_logits=False,
    )


def by_weight(editor: CheckpointEditor) -> Selection:
    """Drop the prototypes that count for no class: all of their connections are zero."""
    head = editor.model.head
    used = head.last_layer.is_used(head.prototype_class)
    return Selection(used, weight_to_own_class(head), same_logits=True)


def by_duplicates(editor: CheckpointEditor) -> Selection:
    """Let one of the prototypes of a class that are the same patch stand for all of them."""
    head = editor.model.head
    keep, weight = merge_duplicates(
        head.prototype_vectors.detach(), head.prototype_class, head.last_layer_weight
    )
    return Selection(keep, weight_to_own_class(head), same_logits=True, weight=weight)


def by_number(editor: CheckpointEditor, prototypes: Collection[int]) -> Selection:
    """Drop the prototypes of a list.

    Raises:
        InputError: If there is no prototype of some number.
    """
    head = editor.model.head
    return Selection(
        keep=all_but(prototypes, len(head.prototype_class)).to(head.prototype_class.device),
        merit=weight_to_own_class(head),
        same_logits=False,
    )


def weight_to_own_class(head: ProtoPNetHead) -> Tensor:
    """Weight of each prototype in the logit of its class (P,); of the first where it has none."""
    return head.last_layer.to_own_class(head.prototype_class).detach()
