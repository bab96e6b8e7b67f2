"""A model that has not been trained, with a last layer that is not."""

import torch
from mmpretrain.registry import MODELS

from tests.toy import model_config


def small_model(**changes):
    """A small ProtoPNet in eval mode; ``changes`` go to the head."""
    torch.manual_seed(0)
    model = MODELS.build(model_config(**changes)).eval()
    torch.nn.init.normal_(model.head.last_layer.weight)
    return model
