"""Cosines between the prototypes of one class."""

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmproto.functional.cosine_distance import unit_length
from mmproto.functional.precision import true_fp32


def class_cosines(prototypes: Tensor, prototype_class: Tensor) -> tuple[Tensor, Tensor]:
    """Compare every prototype with every other one of its class.

    Only members of one class are multiplied, so that the memory grows with P, not with its square.

    Args:
        prototypes: Prototypes (P, D, h, w); a patch is compared as one vector.
        prototype_class: Class of each prototype (P,), -1 for none: such a prototype is in no pair.

    Returns:
        Cosines (G, k, k) of G groups of at most k prototypes, and which entries (G, k, k) are a
        pair of two prototypes: the others are padding, a prototype with itself, or with one of
        length zero, which has no direction.
    """
    vectors = prototypes.flatten(1).float()
    alone = prototype_class.max() + 1 + torch.arange(len(vectors), device=vectors.device)
    group = torch.where(prototype_class < 0, alone, prototype_class)
    sizes = group.unique(return_counts=True)[1].tolist()
    members = pad_sequence(unit_length(vectors[group.argsort()]).split(sizes), batch_first=True)
    with true_fp32(vectors.device.type):
        cosines = members @ members.mT
    present = members.ne(0).any(dim=-1)
    itself = torch.eye(members.shape[1], dtype=torch.bool, device=vectors.device)
    return cosines, present[:, :, None] & present[:, None, :] & ~itself
