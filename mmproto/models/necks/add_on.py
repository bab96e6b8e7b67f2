from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from mmproto.errors import InputError
from mmproto.models.backbones.backbone_info import (
    declared_channels,
    is_channels_last,
    last_map,
    probed_channels,
)


def regular_layers(in_channels: int, out_channels: int) -> list[nn.Module]:
    """1x1 convolution, ReLU, 1x1 convolution, sigmoid."""
    return [
        nn.Conv2d(in_channels, out_channels, 1),
        nn.ReLU(),
        nn.Conv2d(out_channels, out_channels, 1),
        nn.Sigmoid(),
    ]


def bottleneck_layers(in_channels: int, out_channels: int) -> list[nn.Module]:
    """Pairs of 1x1 convolutions that halve the channels down to ``out_channels``."""
    layers: list[nn.Module] = []
    channels = in_channels
    while channels > out_channels or not layers:
        narrower = max(out_channels, channels // 2)
        layers += [nn.Conv2d(channels, narrower, 1), nn.ReLU()]
        layers += [nn.Conv2d(narrower, narrower, 1), nn.ReLU()]
        channels = narrower
    return [*layers[:-1], nn.Sigmoid()]


def linear_layer(in_channels: int, out_channels: int) -> list[nn.Module]:
    """One 1x1 convolution, to be fitted by :meth:`ProtoPNetAddOn.fit_patches`."""
    return [nn.Conv2d(in_channels, out_channels, 1)]


LAYERS = {'regular': regular_layers, 'bottleneck': bottleneck_layers, 'linear': linear_layer}


@MODELS.register_module()
class ProtoPNetAddOn(BaseModule):
    """The add-on layers between the backbone and the prototypes (section 2.1, supplement S2).

    .. code:: python

        neck=dict(type='ProtoPNetAddOn', out_channels=128, kind='regular')

    :class:`ProtoPNet` reads ``in_channels`` off its backbone; any other classifier has to be
    given it, and a backbone whose maps are (N, C, H, W).

    Args:
        in_channels: Channels of the backbone's last feature map.
        out_channels: Channels D of a prototype.
        kind: 'regular' or 'bottleneck', as in the paper, which end in a sigmoid; or 'linear', for
            pretrained networks: it keeps of their features what varies most.
        init_cfg: As for every module of MMEngine.

    Raises:
        InputError: If ``kind`` is unknown, ``in_channels`` does not fit the backbone, or the
            backbone gives no feature map.
    """

    def __init__(
        self,
        in_channels: int | None = None,
        out_channels: int = 128,
        kind: str = 'regular',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if kind not in LAYERS:
            raise InputError(f'neck.kind={kind!r} is unknown: choose one of {sorted(LAYERS)}')
        self.out_channels = out_channels
        self.kind = kind
        self.channels_last = False
        self.in_channels: int | None = None
        if in_channels is not None:
            self._build(in_channels)

    def _build(self, in_channels: int) -> None:
        self.in_channels = in_channels
        self.add_on_layers = nn.Sequential(*LAYERS[self.kind](in_channels, self.out_channels))
        for layer in self.add_on_layers:
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.kaiming_normal_(layer.weight, mode='fan_out', nonlinearity='relu')
                nn.init.zeros_(layer.bias)

    def fit_backbone(self, backbone: nn.Module) -> None:
        """Build the layers for this backbone, or check that they fit."""
        self.channels_last = is_channels_last(backbone)
        channels = declared_channels(backbone)
        if self.in_channels is None:
            self._build(channels or probed_channels(backbone))
        elif channels not in (None, self.in_channels):
            raise InputError(self._misfit(channels))

    @torch.no_grad()
    def fit_patches(self, patches: Tensor) -> None:
        """Fit a linear layer to patches of the backbone (M, C, h, w); other layers stay random.

        It becomes their projection onto the principal components, with their mean at 0 and a mean
        squared length of 1: cosines and distances keep their meaning, and nothing is saturated.
        """
        if self.kind != 'linear':
            return
        cells = patches.transpose(0, 1).flatten(1).double().cpu()
        mean = cells.mean(dim=1)
        variance, directions = torch.linalg.eigh(torch.cov(cells))
        kept = min(self.out_channels, len(variance))
        length = variance[-kept:].clamp_min(0).sum().sqrt().clamp_min(1e-12)
        weight = directions[:, -kept:].flip(1).t() / length
        layer: Any = self.add_on_layers[0]
        layer.weight.zero_()
        layer.bias.zero_()
        layer.weight[:kept, :, 0, 0] = weight.to(layer.weight)
        layer.bias[:kept] = -(weight @ mean).to(layer.bias)

    def map_patches(self, patches: Tensor) -> Tensor:
        """Map patches of the backbone (M, C, h, w), each by itself, to (M, D, h, w)."""
        return self.add_on_layers(patches)

    def _misfit(self, channels: int) -> str:
        return (
            f'neck.in_channels={self.in_channels} does not fit the backbone, whose last feature '
            f'map has {channels} channels: leave model.neck.in_channels out, or set it to that'
        )

    def forward(self, feats: Tensor | Sequence[Tensor]) -> tuple[Tensor]:
        """Map the backbone's last feature map (N, C, H, W) to ``out_channels``.

        They are in [0, 1], but for 'linear'.
        """
        if self.in_channels is None:
            raise InputError(
                "model.neck.in_channels is not known: set model.type='ProtoPNet', which reads it "
                'off the backbone, or set it to the channels of the last feature map'
            )
        features = last_map(feats, self.channels_last)
        if features.shape[1] != self.in_channels:
            raise InputError(self._misfit(features.shape[1]))
        return (self.add_on_layers(features),)
