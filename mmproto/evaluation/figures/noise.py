"""The noise that stability is measured under: that of EvalProtoPNet, by several seeds."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.network_probe import NetworkProbe
from mmproto.models.outputs import HeadOutputs

NOISE, BOUND = 0.2, 0.25  # standard deviation and bound, in units of the normalised image
SEEDS = 3


def outputs_under_noise(
    images: Sequence[ExplainedImage], network: NetworkProbe
) -> Iterator[tuple[HeadOutputs, np.ndarray]]:
    """Yield of each seed what the head computes, and which images (N,) keep their class."""
    predicted = np.array([image.predicted for image in images])
    for seed in range(SEEDS):
        outputs = network.outputs(torch.stack([_noisy(image, seed) for image in images]))
        yield outputs, outputs.logits.argmax(dim=1).cpu().numpy() == predicted


def _noisy(image: ExplainedImage, seed: int) -> torch.Tensor:
    """Return the image with noise that depends on its number and the seed alone."""
    rng = np.random.default_rng([seed, image.number])
    noise = np.clip(rng.normal(0, NOISE, image.input.shape), -BOUND, BOUND)
    return image.input + torch.from_numpy(noise.astype(np.float32)).to(image.input.device)
