"""Compares a ProtoPNet's ONNX file with the network in PyTorch."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import torch

from mmproto.errors import InputError
from mmproto.models import ProtoPNet
from mmproto.models.backbones.backbone_info import image_channels

OUTPUTS = ('logits', 'scores', 'location', 'boxes')
TOLERANCE = 1e-4
BATCH_SIZES = (1, 3)

Size = tuple[int, int]


@dataclass(frozen=True)
class Agreement:
    """How far the file and PyTorch agree on random images.

    Attributes:
        difference: Largest difference of a logit or a score, in units of the largest of them or
            of 1, whichever is more: thousands of prototypes add up to large logits.
        same: In how many cases both find a prototype in the same place. Elsewhere two places are
            equally near but for rounding, or the scores, which are those of the places, differ.
        cases: Number of images times number of prototypes.
        sizes: Heights and widths of the images, in pixels; the one that was asked for is first,
            and if it is alone, the file takes no other.
    """

    difference: float
    same: int
    cases: int
    sizes: list[Size]


@torch.no_grad()
def compare(session: Any, model: ProtoPNet, sizes: list[Size]) -> Agreement:
    """Run a session and the classifier itself on random images of some sizes, in two batches.

    Raises:
        InputError: If the session cannot take them.
    """
    generator = torch.Generator().manual_seed(0)
    channels = image_channels(model.backbone)
    difference, same, cases = 0.0, 0, 0
    for size, batch_size in product(sizes, BATCH_SIZES):
        shape = (batch_size, channels, *size)
        images = torch.randint(256, shape, generator=generator).float()
        try:
            found = session.run(OUTPUTS, dict(images=images.numpy()))
        except Exception as error:  # of onnxruntime's own kinds, which have no common one
            reason = str(error).strip().splitlines()[0]
            raise InputError(
                f'onnxruntime cannot run the file on images {shape}: {reason}'
            ) from None
        logits, scores, location, _ = map(torch.from_numpy, found)
        preprocessor = model.data_preprocessor
        inputs = preprocessor(dict(inputs=images.flip(1) if preprocessor.to_rgb else images))
        expected = model.head.outputs(model.extract_feat(inputs['inputs']))
        for ours, theirs in ((expected.logits, logits), (expected.scores, scores)):
            scale = ours.abs().max().clamp(min=1)
            difference = max(difference, float((ours - theirs).abs().max() / scale))
        same += int((location == expected.locations).all(-1).sum())
        cases += scores.numel()
    return Agreement(difference, same, cases, sizes)
