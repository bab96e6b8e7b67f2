"""Batch norm that stands still, and that which moves."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def norms_to_eval(model: nn.Module) -> None:
    """Let all batch norm of a model use its running statistics, and leave them as they are."""
    for norm in _norms(model):
        norm.eval()


def norms_move(model: nn.Module) -> bool:
    """Whether a training step changes what the model makes of an image in eval mode."""
    return any(norm.training and norm.track_running_stats for norm in _norms(model))


def _norms(model: nn.Module) -> list[_BatchNorm]:
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]
