import torch
from torch import Tensor

from mmproto.errors import InputError


def prototype_classes(
    num_classes: int, prototypes_per_class: int | None, num_prototypes: int | None
) -> Tensor:
    """Class (P,) of every prototype: j // prototypes_per_class, or -1 where none has a class.

    Raises:
        InputError: If the numbers do not fit each other.
    """
    if prototypes_per_class is None:
        if not num_prototypes or num_prototypes < 1:
            raise InputError(
                'model.head.prototypes_per_class=None asks for prototypes without a class: '
                'set model.head.num_prototypes to how many there are to be'
            )
        return torch.full((num_prototypes,), -1)
    if type(prototypes_per_class) is not int or prototypes_per_class < 1:
        raise InputError(
            f'model.head.prototypes_per_class={prototypes_per_class!r}: it has to be a whole '
            'number, at least 1, or None for prototypes without a class'
        )
    count = num_classes * prototypes_per_class
    if num_prototypes not in (None, count):
        raise InputError(
            f'model.head.num_prototypes={num_prototypes} does not fit num_classes={num_classes} x '
            f'prototypes_per_class={prototypes_per_class} = {count}: leave num_prototypes out, '
            'or set prototypes_per_class=None for prototypes without a class'
        )
    return torch.arange(count) // prototypes_per_class
