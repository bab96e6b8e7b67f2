from typing import Any, cast

from mmengine.model import is_model_wrapper
from mmpretrain.registry import MODELS
from torch import nn

from mmproto.models.classifiers.fitted_classifier import FittedClassifier
from mmproto.models.heads import ProtoPNetHead
from mmproto.models.necks import ProtoPNetAddOn


@MODELS.register_module()
class ProtoPNet(FittedClassifier):
    """An image classifier whose neck and normalisation follow from the backbone.

    .. code:: python

        model = dict(
            type='ProtoPNet',
            backbone=dict(type='TIMMBackbone', model_name='vgg19', features_only=True,
                          out_indices=(-1,), pretrained=True),
            neck=dict(type='ProtoPNetAddOn', out_channels=128),
            head=dict(type='ProtoPNetHead', num_classes=200, in_channels=128))

    An ``ImageClassifier`` with a ``ProtoPNetHead`` is trained, pushed and explained as well, if
    ``in_channels`` of the neck, and mean and std of ``data_preprocessor``, are given. See
    :class:`FittedClassifier` for the arguments.
    """

    head: ProtoPNetHead

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(self.neck, ProtoPNetAddOn):
            self.neck.fit_backbone(self.backbone)


def unwrap_model(model: nn.Module) -> ProtoPNet:
    """Return the classifier itself, out of what distributed training wraps around it."""
    return cast(ProtoPNet, model.module if is_model_wrapper(model) else model)


def before_head(model: FittedClassifier) -> nn.Module:
    """Return the module whose output the head is given: the neck, or without one the backbone."""
    return model.neck if model.with_neck else model.backbone
