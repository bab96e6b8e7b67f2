"""The class activation map of an ordinary classifier (Zhou et al., 2016)."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from mmpretrain.models import ImageClassifier, LinearClsHead
from torch import Tensor, nn

from mmproto.errors import InputError
from mmproto.models.backbones.backbone_info import is_channels_last, last_map


@dataclass(frozen=True)
class ClassActivation:
    """What a classifier predicts for an image, and by which pixels.

    Attributes:
        probabilities: Softmax probability of every class (num_classes,).
        activation: How much every pixel of the network's input (H, W) adds to the predicted
            class, from 0 to 1.
    """

    probabilities: Tensor
    activation: np.ndarray

    @property
    def label(self) -> int:
        """The predicted class."""
        return int(self.probabilities.argmax())


class LastMapClassifier(nn.Module):
    """A classifier whose last feature map goes through a module of its own, for hooks on it.

    Backbones that give one map, several, or a list of them are alike then.
    """

    def __init__(self, model: ImageClassifier) -> None:
        super().__init__()
        self.model = model
        self.last_map = nn.Identity()

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (N, num_classes), with a gradient down to the last map and no further."""
        with torch.no_grad():
            *earlier, last = self.model.extract_feat(inputs, stage='backbone')
        feats = (*earlier, self.last_map(last.requires_grad_()))
        return self.model.head(self.model.neck(feats) if self.model.with_neck else feats)


@torch.enable_grad()
def class_activations(model: ImageClassifier, inputs: Tensor) -> list[ClassActivation]:
    """Return the class activation map of each image for its predicted class.

    It is the Grad-CAM of the last feature map, which under global average pooling and a linear
    head is the class activation map: the class's weights times the map's channels.

    Args:
        model: A classifier with a linear head.
        inputs: Normalised images (N, C, H, W).

    Raises:
        InputError: If the backbone gives no feature map.
    """
    from pytorch_grad_cam import GradCAM

    classifier = LastMapClassifier(model)
    as_nchw = partial(last_map, channels_last=is_channels_last(model.backbone))
    cam = GradCAM(classifier, [classifier.last_map], reshape_transform=as_nchw)
    activations = cam(inputs, targets=None)  # of the predicted classes
    probabilities = cam.outputs.detach().softmax(dim=1).cpu()
    model.zero_grad()
    return [ClassActivation(*one) for one in zip(probabilities, activations)]


def check_linear_head(model: ImageClassifier) -> None:
    """Raise an InputError for a classifier that has no class activation map."""
    if not isinstance(model.head, LinearClsHead):
        raise InputError(
            f'model.head of the baseline is a {type(model.head).__name__}: give a baseline with '
            'a LinearClsHead, such as those in configs/baseline'
        )
