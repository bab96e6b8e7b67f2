"""A backbone whose training passes are compiled: ``compile`` of a config."""

import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from mmproto.errors import InputError


def compile_backbone(backbone: nn.Module, options: Any) -> None:
    """Compile what a backbone does in training mode, by ``torch.compile``.

    MMEngine would compile the whole step, of which stages, hooks and true single precision make
    twenty graphs. In eval mode the network stays as it is: push, validation and explanations round
    alike, in a training and after it. What is saved of it stays the same.

    .. code:: python

        compile = True  # or the options of torch.compile, such as dict(mode='max-autotune')

    Args:
        backbone: The backbone.
        options: What the config says.

    Raises:
        InputError: If that is neither True nor options, or there is no compiler.
    """
    if not (options is True or isinstance(options, Mapping)):
        raise InputError(f'compile={options!r}: give True, or a dict of options of torch.compile')
    settings = {} if options is True else dict(options)
    compiler = os.environ.get('CXX', 'clang++' if sys.platform == 'darwin' else 'g++')
    on_cpu = next(backbone.parameters()).device.type == 'cpu'
    if on_cpu and settings.get('backend', 'inductor') == 'inductor' and not shutil.which(compiler):
        raise InputError(
            f'compile: there is no C++ compiler {compiler}: install it, or name yours '
            'by CXX in the environment'
        )
    plain = backbone.forward
    try:
        compiled = torch.compile(plain, **settings)
    except (RuntimeError, TypeError) as error:
        raise InputError(f'compile={settings}: {str(error).splitlines()[0]}') from None

    def forward(*args: Any, **kwargs: Any) -> Any:
        return (compiled if backbone.training else plain)(*args, **kwargs)

    backbone.forward = forward


def leave_uncompiled(backbone: nn.Module) -> None:
    """Let a backbone run as its class says; a copy would run the one that it was copied of."""
    vars(backbone).pop('forward', None)
