import torch
from torch import Tensor

from mmproto.models.heads.prototype_names import NAME_BYTES


def no_decisions(count: int) -> dict[str, Tensor]:
    """Return the entries of a head's state dict that a person decides, where nobody has yet.

    Checkpoints from before there were such entries are loaded as if they had these.

    Args:
        count: Number of prototypes P.
    """
    return dict(
        prototype_name=torch.zeros(count, NAME_BYTES, dtype=torch.uint8),
        forbidden_patch=torch.zeros(0, 3, dtype=torch.int64),
        forbidden_radius=torch.zeros(0),
        only_on_objects=torch.tensor(False),
    )
