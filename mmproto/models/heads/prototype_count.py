from collections.abc import Sequence

import torch
from torch import Tensor

from mmproto.errors import InputError

MOST = 10**6  # each has to be a patch of a training image


def prototype_classes(
    num_classes: int,
    prototypes_per_class: int | Sequence[int] | None,
    num_prototypes: int | None,
) -> Tensor:
    """Class (P,) of every prototype, ascending, or -1 where none has a class.

    Args:
        num_classes: Number of classes.
        prototypes_per_class: How many prototypes each class has; one number, or one for each class.
            None for prototypes without a class.
        num_prototypes: How many there are without a class; where they have classes it has to fit.

    Raises:
        InputError: If the numbers do not fit each other.
    """
    if prototypes_per_class is None:
        if not num_prototypes or num_prototypes < 1:
            raise InputError(
                'model.head.prototypes_per_class=None asks for prototypes without a class: '
                'set model.head.num_prototypes to how many there are to be'
            )
        _check_number(num_prototypes, f'model.head.num_prototypes={num_prototypes}')
        return torch.full((num_prototypes,), -1)
    counts = _counts(num_classes, prototypes_per_class)
    if num_prototypes not in (None, sum(counts)):
        raise InputError(
            f'model.head.num_prototypes={num_prototypes} does not fit '
            f'prototypes_per_class={prototypes_per_class} of num_classes={num_classes}, in all '
            f'{sum(counts)}: leave num_prototypes out, or set prototypes_per_class=None for '
            'prototypes without a class'
        )
    setting = f'model.head.prototypes_per_class={prototypes_per_class}'
    _check_number(sum(counts), f'{setting} of num_classes={num_classes}')
    return torch.tensor([label for label, count in enumerate(counts) for _ in range(count)])


def _check_number(number: int, setting: str) -> None:
    if number > MOST:
        raise InputError(f'{setting} is {number} prototypes: give at most {MOST} in all')


def _counts(num_classes: int, prototypes_per_class: int | Sequence[int]) -> list[int]:
    """Return the number of prototypes of each class; an integer holds for all of them."""
    setting = f'model.head.prototypes_per_class={prototypes_per_class!r}'
    if isinstance(prototypes_per_class, list | tuple):
        counts = list(prototypes_per_class)
        if len(counts) != num_classes:
            raise InputError(
                f'{setting} is a list of {len(counts)} numbers, but model.head.num_classes is '
                f'{num_classes}: give one number for each class'
            )
        if not all(type(count) is int and count >= 0 for count in counts) or not any(counts):
            raise InputError(
                f'{setting}: a list has to hold integers, at least 0, and not only zeros'
            )
        return counts
    if type(prototypes_per_class) is not int or prototypes_per_class < 1:
        raise InputError(
            f'{setting}: it has to be an integer, at least 1, a list of one for each class, or '
            'None for prototypes without a class'
        )
    return [prototypes_per_class] * num_classes
