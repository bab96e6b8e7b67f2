"""The network as an evaluator asks it: of changed images, and which way a score falls."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from mmproto.engine.fixed_batches import BATCH_SIZE
from mmproto.explanation.effective_field import patch_fields
from mmproto.models import ProtoPNet
from mmproto.models.outputs import HeadOutputs

# Forward passes that a backward pass takes as long as: it ends at the pixels, and no weight gets a
# gradient. Measured on one core: 0.95 with a VGG-11, 1.1 with ResNets, 1.3 with a ViT.
BACKWARD = 1


class NetworkProbe:
    """Sends images through a classifier in batches of one size, and counts them.

    A batch of another size rounds differently, and what is measured shall be the same on any
    number of processes.

    Args:
        model: A classifier with a :class:`ProtoPNetHead`, in eval mode.

    Attributes:
        passes: How many images went through so far; a backward pass counts as one.
    """

    def __init__(self, model: ProtoPNet) -> None:
        self.model = model
        self.passes = 0
        self._lock = Lock()  # several threads ask

    @torch.no_grad()
    def outputs(self, inputs: Tensor) -> HeadOutputs:
        """Return what the head computes of normalised images (N, C, H, W)."""
        self._count(len(inputs))
        parts = [
            _first(self.model.head.outputs(self.model.extract_feat(batch)), count)
            for batch, count in _full_batches(inputs)
        ]
        rows: dict[str, Any] = {
            name: torch.cat([getattr(one, name) for one in parts]) for name in PER_IMAGE
        }
        return replace(parts[0], **rows)

    @torch.no_grad()
    def similarity_maps(self, feature_map: Tensor) -> Tensor:
        """Return the maps (P, H', W') of one image's feature map (D, H', W')."""
        return self.model.head.similarity_maps([feature_map[None]])[0]

    def slope(self, inputs: Tensor, prototypes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the score (N,) of one prototype of each image, and its gradient (N, C, H, W)."""
        self._count((1 + BACKWARD) * len(inputs))
        scores, gradients = [], []
        wanted = prototypes.split(BATCH_SIZE)
        for (batch, count), columns in zip(_full_batches(inputs), wanted):
            with torch.enable_grad():
                leaf = batch.detach().requires_grad_()
                every = self.model.head.pre_logits(self.model.extract_feat(leaf))
                own = every[:count].gather(1, columns[:, None])[:, 0]
                (gradient,) = torch.autograd.grad(own.sum(), leaf)
            scores.append(own.detach())
            gradients.append(gradient[:count])
        return torch.cat(scores), torch.cat(gradients)

    def fields(
        self, image: Tensor, prototypes: Sequence[int], locations: Iterable[Sequence[int]]
    ) -> Tensor:
        """Return effective receptive fields (k, H, W) in one normalised image (C, H, W)."""
        self._count(1 + BACKWARD * len(prototypes))
        return patch_fields(self.model, image, prototypes, locations)

    def _count(self, passes: int) -> None:
        with self._lock:
            self.passes += passes


PER_IMAGE = ('feature_map', 'distances', 'locations', 'scores', 'logits')


def _full_batches(inputs: Tensor) -> Iterator[tuple[Tensor, int]]:
    """Batches of the one size, filled with their last image, and how many of each are real."""
    for batch in inputs.split(BATCH_SIZE):
        missing = BATCH_SIZE - len(batch)
        filler = batch[-1:].expand(missing, *batch.shape[1:])
        yield torch.cat([batch, filler]), len(batch)


def _first(outputs: HeadOutputs, count: int) -> HeadOutputs:
    rows: dict[str, Any] = {name: getattr(outputs, name)[:count] for name in PER_IMAGE}
    return replace(outputs, **rows)
