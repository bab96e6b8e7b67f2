"""Fits a head to a checkpoint whose head has another size."""

import logging
from typing import TYPE_CHECKING

import torch
from mmengine.logging import print_log
from torch import Tensor

from mmproto.errors import InputError

if TYPE_CHECKING:
    from mmproto.models.heads.protopnet_head import ProtoPNetHead

# What a checkpoint with a head of ours has at least.
NEEDED = {'prototype_vectors', 'last_layer.weight'}


def fit_to_checkpoint(head: 'ProtoPNetHead', state: dict[str, Tensor], prefix: str) -> None:
    """Prepare a head and a checkpoint's state for loading, where their sizes differ.

    A pruned checkpoint has the classes of the config and fewer prototypes. The rule: if every
    entry of the head is in the checkpoint, differs in nothing but the number of prototypes, and
    the prototypes belong to classes of the head, then the head takes that number. Otherwise
    nothing of the checkpoint's head is loaded, and the head stays as it is.

    Args:
        head: A :class:`ProtoPNetHead`.
        state: Entries of the checkpoint, those of the head under ``prefix``; changed in place.
        prefix: What the names of the head's entries start with.
    """
    saved = _entries(state, prefix)
    own = head.state_dict()
    if not saved.keys() >= NEEDED:
        return  # no head of ours, or one of another kind
    if _fits(head, saved):
        return
    if _differs_in_count_alone(head, saved):
        old, new = len(head.prototype_vectors), len(saved['prototype_vectors'])
        _resize(head, new)
        _warn(
            f'The checkpoint has {new} prototypes and model.head {old}, of the same classes: '
            f'the head takes the {new} of the checkpoint, as it does for a pruned one.'
        )
        return
    for name in saved:
        del state[prefix + name]
    _warn(
        f"The checkpoint's head has {_described(saved)}, model.head {_described(own)}: none of "
        'it is loaded, the head starts fresh.'
    )


def check_resumable(head: 'ProtoPNetHead', state: dict[str, Tensor], prefix: str) -> None:
    """Raise an InputError for a checkpoint from which training cannot go on with this head."""
    saved = _entries(state, prefix)
    if not saved.keys() >= NEEDED or not (
        _fits(head, saved) or _differs_in_count_alone(head, saved)
    ):
        had = _described(saved) if saved.keys() >= NEEDED else 'no head of a ProtoPNet'
        raise InputError(
            f'resume: the checkpoint has {had}, model.head {_described(head.state_dict())}; go '
            'on with the config and the data that it was trained with, or set load_from to it to '
            'start anew'
        )


def _entries(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)}


def _fits(head: 'ProtoPNetHead', saved: dict[str, Tensor]) -> bool:
    """Whether everything can be loaded as it is; the class of a prototype may be missing."""
    own = head.state_dict()
    return all(
        saved[name].shape == own[name].shape for name in own.keys() & saved.keys()
    ) and _classes_fit(head, saved.get('prototype_class', head.prototype_class))


def _classes_fit(head: 'ProtoPNetHead', prototype_class: Tensor) -> bool:
    """Whether prototypes have classes of the head; a head of prototypes without takes both."""
    least = 0 if bool((head.prototype_class >= 0).all()) else -1
    return least <= int(prototype_class.min()) and int(prototype_class.max()) < head.num_classes


def _warn(message: str) -> None:
    print_log(message, logger='current', level=logging.WARNING)


def _described(state: dict[str, Tensor]) -> str:
    prototypes, *size = state['prototype_vectors'].shape
    classes = len(state['last_layer.weight'])
    return f'{classes} classes, {prototypes} prototypes of {" x ".join(map(str, size))}'


def _shape_for(name: str, shape: torch.Size, count: int) -> tuple[int, ...]:
    """Return the shape that an entry of a head has with that number of prototypes."""
    if name == 'last_layer.weight':
        return shape[0], count
    return (count, *shape[1:]) if name.startswith('prototype_') else tuple(shape)


def _differs_in_count_alone(head: 'ProtoPNetHead', saved: dict[str, Tensor]) -> bool:
    own = head.state_dict()
    count = len(saved['prototype_vectors'])
    if saved.keys() != own.keys() or any(
        tuple(saved[name].shape) != _shape_for(name, own[name].shape, count) for name in own
    ):
        return False
    return _classes_fit(head, saved['prototype_class'])


def _resize(head: 'ProtoPNetHead', count: int) -> None:
    """Give the head room for that number of prototypes.

    The parameters stay the same objects: an optimizer that has them trains them on.
    """
    tensors = dict(head.named_parameters()) | dict(head.named_buffers())
    for name, tensor in tensors.items():
        tensor.data = tensor.data.new_empty(_shape_for(name, tensor.shape, count))
        tensor.grad = None
    head.last_layer.in_features = count
