"""Training in mixed precision, on a GPU or a CPU."""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from mmengine.runner.amp import autocast
from mmpretrain.registry import OPTIM_WRAPPERS
from torch import nn

from mmproto.errors import InputError


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Computes steps in bfloat16 where torch's autocast does; weights and moments stay in fp32.

    bfloat16 has the range of fp32, so there is no loss to scale, as MMEngine's ``AmpOptimWrapper``
    does for float16, on a GPU alone.

    .. code:: python

        optim_wrapper = dict(type='BFloat16OptimWrapper', optimizer=dict(type='Adam'), ...)

    The arguments are those of MMEngine's ``OptimWrapper``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Return the context of a forward pass, gradient accumulation included."""
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield


DTYPES = ('auto', 'float16', 'bfloat16')


def use_mixed_precision(optim_wrapper: MutableMapping[str, Any], dtype: str) -> None:
    """Let a config's ``optim_wrapper`` train in mixed precision.

    Args:
        optim_wrapper: The config, changed in place.
        dtype: One of ``DTYPES``; 'auto' is 'float16' on a GPU, as in MMPretrain, and 'bfloat16' on
            a CPU, which trains in no other.

    Raises:
        InputError: If this machine cannot.
    """
    on_cpu = get_device() == 'cpu'
    if dtype == 'float16' and on_cpu:
        raise InputError('--amp float16 needs a GPU: on a CPU take --amp bfloat16')
    if dtype == 'bfloat16' or on_cpu:
        for setting in ('loss_scale', 'dtype'):
            optim_wrapper.pop(setting, None)
        optim_wrapper['type'] = 'BFloat16OptimWrapper'
    else:
        optim_wrapper.setdefault('loss_scale', 'dynamic')
        optim_wrapper.update(type='AmpOptimWrapper', dtype='float16')
