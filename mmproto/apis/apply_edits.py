from collections.abc import Sequence

import torch

from mmproto.apis.edits import Edits
from mmproto.errors import InputError
from mmproto.functional import all_but, emptied_classes
from mmproto.models import ProtoPNetHead
from mmproto.models.heads.fingerprint import fingerprint


def check_edits(
    head: ProtoPNetHead,
    edits: Edits,
    class_names: Sequence[str],
    allow_empty: bool = False,
) -> None:
    """Check that edits can be applied to a head.

    Args:
        head: The head that the edits were made of.
        edits: What to change.
        class_names: Name of every class.
        allow_empty: Whether a class may lose its last prototype.

    Raises:
        InputError: If the edits are of another model or name prototypes that are not there, if
            patches are forbidden of a model whose prototypes are none, or if a class would lose
            its last prototype.
    """
    own = fingerprint(head)
    if edits.model != own:
        raise InputError(
            f'the edits are of {edits.checkpoint}, of the model {edits.model[:64]}, but this '
            f'checkpoint has the model {own}: give the checkpoint that the edits were made of'
        )
    forbidden = [one.prototype for one in edits.forbid]
    all_but([*forbidden, *edits.names, *edits.remove], len(head.prototype_class))
    if forbidden and not head.prototypes_are_patches:
        raise InputError(
            'forbid names training patches, but the prototypes of this model are none: push it '
            'first by tools/push.py, and edit what that saves'
        )
    keep = _keep(head, edits)
    if not keep.any():
        raise InputError('remove takes all prototypes: keep some')
    emptied = emptied_classes(keep, head.prototype_class)
    if emptied and not allow_empty:
        names = ', '.join(class_names[label] for label in emptied)
        raise InputError(
            f'remove takes the last prototype of the classes {names}: keep one of each, or allow '
            'it by --allow-empty'
        )


@torch.no_grad()
def apply_edits(head: ProtoPNetHead, edits: Edits) -> None:
    """Make checked edits real: name, forbid, and remove prototypes.

    The last layer keeps the weights of the prototypes that stay.
    """
    head.name_prototypes(edits.names)
    head.forbid(
        head.prototype_patches[[one.prototype for one in edits.forbid]],
        torch.tensor([one.radius for one in edits.forbid]),
    )
    if edits.only_on_objects:
        head.only_on_objects.fill_(True)
    if edits.remove:
        head.prune(_keep(head, edits))


def _keep(head: ProtoPNetHead, edits: Edits) -> torch.Tensor:
    keep = all_but(edits.remove, len(head.prototype_class))
    return keep.to(head.prototype_class.device)
