from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mmproto.models import ProtoPNetHead
from mmproto.models.outputs import HeadOutputs


@dataclass(frozen=True)
class PrototypeMaps:
    """Where some prototypes are found in one image.

    Attributes:
        prototypes: Numbers of the k prototypes.
        locations: Row and column of each one's nearest patch in the feature map (k, 2).
        scores: Score of every patch for each prototype (k, H', W'), the greatest at ``locations``.
    """

    prototypes: Sequence[int]
    locations: np.ndarray
    scores: np.ndarray


@torch.no_grad()
def prototype_maps(
    head: ProtoPNetHead, outputs: HeadOutputs, prototypes: Sequence[int]
) -> PrototypeMaps:
    """Get the maps of some prototypes from what the head has computed of one image."""
    scores = head.similarity_maps([outputs.feature_map])[0, prototypes]
    return PrototypeMaps(
        prototypes=prototypes,
        locations=outputs.locations[0, prototypes].cpu().numpy(),
        scores=scores.cpu().numpy(),
    )
