"""Whether what was loaded is in the model now: a checkpoint of another network fits nowhere."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmproto.errors import InputError

SHOWN = 3


def check_loaded(model: nn.Module, checkpoint: Mapping[str, Any], name: str) -> list[str]:
    """Check that a model has weights of the checkpoint that was loaded into it.

    Args:
        model: The model, which may be wrapped.
        checkpoint: The checkpoint, or the bare state dict.
        name: Its file, for messages.

    Returns:
        Names of the model's parameters that the checkpoint has not, or not of their size.

    Raises:
        InputError: If it has none of them, or a weight is now no finite number.
    """
    own = dict(getattr(model, 'module', model).named_parameters())
    state = checkpoint.get('state_dict', checkpoint)
    saved = {entry.removeprefix('module.'): value for entry, value in state.items()}
    check_finite(model, name)
    missing = [
        entry
        for entry, value in own.items()
        if entry not in saved or not _same(value.detach(), saved[entry])
    ]
    if len(missing) == len(own):
        raise InputError(
            f'{name} has none of the {len(own)} weights of this model: its own are '
            f'{some([*saved])}, those of the model {some([*own])}; give a checkpoint of this '
            'model, or weights of its backbone alone to model.backbone (checkpoint_path for timm, '
            "init_cfg=dict(type='Pretrained', checkpoint=FILE) for MMPretrain)"
        )
    return missing


def check_finite(model: nn.Module, name: str) -> None:
    """Raise an InputError if a weight, a statistic of batch norm, or its square is not finite."""
    statistics = ((entry, one) for entry, one in model.named_buffers() if '.running_' in entry)
    for entry, value in [*model.named_parameters(), *statistics]:
        if not value.detach().float().square().sum().isfinite():
            raise InputError(
                f'{name} has weights that are no finite numbers, or too large ({entry}): take an '
                'earlier checkpoint of its training'
            )


def some(names: list[str]) -> str:
    """Return the first names of a list, in words."""
    rest = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
    return ', '.join(names[:SHOWN]) + rest


def _same(own: Tensor, saved: Tensor) -> bool:
    return own.shape == saved.shape and torch.equal(own, saved.to(own))
