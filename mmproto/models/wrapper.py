from mmengine.model import is_model_wrapper
from torch import nn


def unwrap_model(model: nn.Module) -> nn.Module:
    """The classifier itself, out of what distributed training wraps around it."""
    return model.module if is_model_wrapper(model) else model
