from typing import Any

from mmpretrain.registry import MODELS
from torch import Tensor, nn

from mmproto.models.backbones.backbone_info import (
    declared_channels,
    is_channels_last,
    last_map,
    probed_channels,
)
from mmproto.models.batch_norm import norms_to_eval
from mmproto.models.classifiers.fitted_classifier import FittedClassifier


@MODELS.register_module()
class LinearClassifier(FittedClassifier):
    """A linear head on a backbone's averaged map, what a ProtoPNet is compared with.

    .. code:: python

        model = dict(
            type='LinearClassifier',
            backbone=dict(type='TIMMBackbone', model_name='vgg19', features_only=True,
                          out_indices=(-1,), pretrained=True),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=200))

    The head's ``in_channels`` are those of the backbone's last map, where they are not set, and
    the maps are (N, C, H, W) for every backbone.

    Args:
        *args: See :class:`FittedClassifier`.
        norm_eval: Whether batch norm stands still in training, as in the stages of a ProtoPNet.
        **kwargs: See :class:`FittedClassifier`.
    """

    def __init__(self, *args: Any, norm_eval: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.norm_eval = norm_eval
        if is_channels_last(self.backbone):
            self.backbone.register_forward_hook(_channels_first)

    def train(self, mode: bool = True) -> 'LinearClassifier':
        """Set training mode, but for batch norm that stands still."""
        super().train(mode)
        if self.norm_eval:
            norms_to_eval(self)
        return self

    def fitted_head(self, head: Any, backbone: nn.Module) -> Any:
        """Give the head's config the channels of the backbone's last map."""
        if not isinstance(head, dict) or 'in_channels' in head:
            return head
        return {**head, 'in_channels': declared_channels(backbone) or probed_channels(backbone)}


def _channels_first(backbone: nn.Module, inputs: Any, feats: Any) -> tuple[Tensor]:
    return (last_map(feats, channels_last=True),)
