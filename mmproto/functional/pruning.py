"""Which prototypes can go: those that do not stand for their class, are not used, are doubles."""

from collections.abc import Collection

import torch
from torch import Tensor

from mmproto.errors import InputError


def speaks_for_its_class(classes: Tensor, prototype_class: Tensor, threshold: int) -> Tensor:
    """Which prototypes have at least ``threshold`` neighbours of their own class.

    From the supplement, section S8.

    Args:
        classes: Classes of each prototype's neighbours (P, k), see :meth:`NearestImages.classes`.
        prototype_class: Class of each prototype (P,).
        threshold: How many neighbours of the own class keep a prototype.

    Returns:
        Bool (P,): True for the prototypes to keep.
    """
    return (classes == prototype_class[:, None]).sum(dim=1) >= threshold


def is_used(weight: Tensor) -> Tensor:
    """Which prototypes some class counts.

    Without the others the logits are the same.

    Args:
        weight: The last layer (C, P).

    Returns:
        Bool (P,): True for the prototypes to keep.
    """
    return (weight != 0).any(dim=0)


def all_but(numbers: Collection[int], count: int) -> Tensor:
    """Which prototypes stay when those of a list go.

    Args:
        numbers: Numbers of the prototypes to drop, from 0.
        count: Number of prototypes P.

    Returns:
        Bool (P,): True for the prototypes to keep.

    Raises:
        InputError: If there is no prototype of some number.
    """
    unknown = sorted(number for number in numbers if not 0 <= number < count)
    if unknown:
        raise InputError(
            f'there are no prototypes {unknown}: they have the numbers 0 to {count - 1}'
        )
    keep = torch.ones(count, dtype=torch.bool)
    keep[list(numbers)] = False
    return keep


def merge_duplicates(
    prototypes: Tensor, prototype_class: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor]:
    """Let the first of equal prototypes of a class stand for all of them.

    Prototypes that were pushed onto the same patch are equal to the bit, and so are their scores.
    The logits are the same, but for rounding, since the weights are added.

    Args:
        prototypes: Prototypes (P, D, h, w).
        prototype_class: Class of each prototype (P,), -1 for none.
        weight: The last layer (C, P).

    Returns:
        Bool (P,), True for the prototypes to keep; and the last layer (C, P) in which these have
        the weights of their doubles as well, which have none.
    """
    group = prototypes.flatten(1).unique(dim=0, return_inverse=True)[1]
    group = torch.stack([group, prototype_class], dim=1).unique(dim=0, return_inverse=True)[1]
    numbers = torch.arange(len(group), device=group.device)
    first = torch.full_like(group, len(group)).scatter_reduce(0, group, numbers, 'amin')[group]
    return first == numbers, torch.zeros_like(weight).index_add(1, first, weight)


def emptied_classes(keep: Tensor, prototype_class: Tensor) -> list[int]:
    """Classes that have prototypes, and would have none.

    Args:
        keep: Bool (P,), True for the prototypes to keep.
        prototype_class: Class of each prototype (P,), -1 for none.

    Returns:
        The classes, in order.
    """
    left = set(prototype_class[keep].tolist())
    return sorted(set(prototype_class.tolist()) - left - {-1})


def keep_last_of_class(keep: Tensor, prototype_class: Tensor, merit: Tensor) -> Tensor:
    """Keep the best prototype of every class that would have none left.

    Args:
        keep: Bool (P,), True for the prototypes to keep.
        prototype_class: Class of each prototype (P,), -1 for none.
        merit: What makes one better than another (P,), such as its number of neighbours of the
            own class, or its weight to it; of equals the first stays.

    Returns:
        Bool (P,), with one more for each of the :func:`emptied_classes`.
    """
    keep = keep.clone()
    for label in emptied_classes(keep, prototype_class):
        members = (prototype_class == label).nonzero().flatten()
        keep[members[merit[members].argmax()]] = True
    return keep
