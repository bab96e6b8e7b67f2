"""Fits a head to a checkpoint whose head has another size."""

import logging
from typing import TYPE_CHECKING

import torch
from mmengine.logging import print_log
from torch import Tensor

from mmproto.errors import InputError
from mmproto.models.heads.decisions import no_decisions

if TYPE_CHECKING:
    from mmproto.models.heads.protopnet_head import ProtoPNetHead

LAST_LAYER = 'last_layer.'


def fit_to_checkpoint(head: 'ProtoPNetHead', state: dict[str, Tensor], prefix: str) -> None:
    """Prepare a head and a checkpoint's state for loading, where their sizes differ.

    A pruned checkpoint has the classes of the config and fewer prototypes. The rule: if every
    entry of the head is in the checkpoint, differs in nothing but the number of prototypes, and
    the prototypes belong to classes of the head, then the head takes that number. Otherwise
    nothing of the checkpoint's head is loaded, and the head stays as it is. The number of
    forbidden patches is always the checkpoint's.

    Args:
        head: A :class:`ProtoPNetHead`.
        state: Entries of the checkpoint, those of the head under ``prefix``; changed in place.
        prefix: What the names of the head's entries start with.
    """
    saved = _entries(state, prefix)
    own = head.state_dict()
    if not _is_ours(saved):
        return  # no head of ours, or one of another kind
    _check_kinds(own, saved)
    state.update({prefix + name: value for name, value in saved.items()})
    if _fits(head, saved):
        _resize(head, saved)
        return
    if _differs_in_count_alone(head, saved):
        old, new = len(head.prototype_vectors), len(saved['prototype_vectors'])
        _resize(head, saved)
        _warn(
            f'The checkpoint has {new} prototypes and model.head {old}, of the same classes: '
            f'the head takes the {new} of the checkpoint, as it does for a pruned one.'
        )
        return
    for name in saved:
        del state[prefix + name]
    _warn(
        f"The checkpoint's head has {_described(head, saved)}, model.head {_described(head, own)}: "
        'none of it is loaded, the head starts fresh.'
    )


def _check_kinds(own: dict[str, Tensor], saved: dict[str, Tensor]) -> None:
    """Raise an InputError for an entry of other dimensions, or of fractions for whole numbers."""
    for name in own.keys() & saved.keys():
        kinds = [(one.ndim, one.is_floating_point()) for one in (own[name], saved[name])]
        if kinds[0] != kinds[1]:
            raise InputError(
                f"the checkpoint's head.{name} is {saved[name].dtype} {tuple(saved[name].shape)}, "
                f'as no head has it ({own[name].dtype}, {own[name].ndim} dimensions): it is '
                'damaged, take an earlier one'
            )


def check_resumable(head: 'ProtoPNetHead', state: dict[str, Tensor], prefix: str) -> None:
    """Raise an InputError for a checkpoint from which training cannot go on with this head."""
    saved = _entries(state, prefix)
    own = head.state_dict()
    _check_kinds(own, saved)
    if not _is_ours(saved) or not (_fits(head, saved) or _differs_in_count_alone(head, saved)):
        had = _described(head, saved) if _is_ours(saved) else 'no head of a ProtoPNet'
        raise InputError(
            f'resume: the checkpoint has {had}, model.head {_described(head, own)}; go '
            'on with the config and the data that it was trained with, or set load_from to it to '
            'start anew'
        )


def _entries(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the head of a checkpoint; one from before there were decisions has none of them."""
    saved = {key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)}
    if not _is_ours(saved) or saved['prototype_vectors'].ndim == 0:
        return saved
    return no_decisions(len(saved['prototype_vectors'])) | saved


def _is_ours(saved: dict[str, Tensor]) -> bool:
    """Whether it has what every head of ours has at least."""
    return 'prototype_vectors' in saved and bool(_last_layer(saved))


def _last_layer(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the entries of the last layer of a head."""
    return {
        name.removeprefix(LAST_LAYER): value
        for name, value in state.items()
        if name.startswith(LAST_LAYER)
    }


def _fits(head: 'ProtoPNetHead', saved: dict[str, Tensor]) -> bool:
    """Whether everything can be loaded as it is; the class of a prototype may be missing."""
    return _shapes_fit(head, saved, len(head.prototype_vectors)) and _classes_fit(
        head, saved.get('prototype_class', head.prototype_class)
    )


def _shapes_fit(head: 'ProtoPNetHead', saved: dict[str, Tensor], count: int) -> bool:
    """Whether all entries that both have are of that number of prototypes, and else as in the head.

    Forbidden patches there may be as many as were saved.
    """
    own, forbidden = head.state_dict(), len(saved['forbidden_patch'])
    return head.last_layer.fits(_last_layer(saved), count) and all(
        tuple(saved[name].shape) == _shape_for(name, own[name].shape, count, forbidden)
        for name in own.keys() & saved.keys()
        if not name.startswith(LAST_LAYER)
    )


def _classes_fit(head: 'ProtoPNetHead', prototype_class: Tensor) -> bool:
    """Whether prototypes have classes of the head; a head of prototypes without takes both."""
    if not len(prototype_class):
        return False
    least = 0 if bool((head.prototype_class >= 0).all()) else -1
    return least <= int(prototype_class.min()) and int(prototype_class.max()) < head.num_classes


def _warn(message: str) -> None:
    print_log(message, logger='current', level=logging.WARNING)


def _described(head: 'ProtoPNetHead', state: dict[str, Tensor]) -> str:
    prototypes, *size = state['prototype_vectors'].shape
    classes = head.last_layer.saved_classes(_last_layer(state))
    known = 'another kind of last layer' if classes is None else f'{classes} classes'
    return f'{known}, {prototypes} prototypes of {" x ".join(map(str, size))}'


def _shape_for(name: str, shape: torch.Size, count: int, forbidden: int) -> tuple[int, ...]:
    """Return the shape of a head's entry with those numbers of prototypes, forbidden patches."""
    if name.startswith('forbidden_'):
        return forbidden, *shape[1:]
    return (count, *shape[1:]) if name.startswith('prototype_') else tuple(shape)


def _differs_in_count_alone(head: 'ProtoPNetHead', saved: dict[str, Tensor]) -> bool:
    return (
        saved.keys() == head.state_dict().keys()
        and _shapes_fit(head, saved, len(saved['prototype_vectors']))
        and _classes_fit(head, saved['prototype_class'])
    )


def _resize(head: 'ProtoPNetHead', saved: dict[str, Tensor]) -> None:
    """Give the head room for as many prototypes and forbidden patches as were saved.

    The parameters stay the same objects: an optimizer that has them trains them on.
    """
    tensors = dict(head.named_parameters()) | dict(head.named_buffers())
    for name, tensor in tensors.items():
        if name in saved and tensor.shape != saved[name].shape:
            tensor.data = tensor.data.new_empty(saved[name].shape)
            tensor.grad = None
    head.last_layer.in_features = len(saved['prototype_vectors'])
