"""The deletion test of a map: cover the pixels that it marks, and see the prototype's score drop.

After Petsiuk et al. (RISE, 2018), with a drop relative to the score and random pixels beside it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

BATCH = 64  # images that go through the network at once
BLUR = 1 / 8  # standard deviation of the Gaussian, as a fraction of the shorter side


def mean_colour(image: Tensor) -> Tensor:
    """Return the data set's mean colour, which is zero in a normalised image (C, H, W)."""
    return torch.zeros_like(image)


def blurred(image: Tensor) -> Tensor:
    """Return the normalised image (C, H, W) without any detail."""
    sigma = BLUR * min(image.shape[-2:])
    channels = [cv2.GaussianBlur(one, (0, 0), sigma) for one in image.cpu().numpy()]
    return torch.from_numpy(np.stack(channels)).to(image)


COVERS: dict[str, Callable[[Tensor], Tensor]] = dict(mean=mean_colour, blur=blurred)


def marked_pixels(activation: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Return the pixels that a map marks most.

    Args:
        activation: A map (H, W).
        fraction: How many pixels, as a fraction of all.
        rng: Draws among pixels of the same value.

    Returns:
        Bool (H, W), True for ``round(fraction * H * W)`` pixels.
    """
    flat = activation.ravel()
    order = np.lexsort((rng.random(flat.size), flat))
    marked = np.zeros(flat.size, bool)
    marked[order[flat.size - round(fraction * flat.size) :]] = True
    return marked.reshape(activation.shape)


def random_box(size: tuple[int, int], fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Return a box somewhere in an image.

    Args:
        size: Height and width of the image; the box has its shape.
        fraction: Area of the box, as a fraction of the image's, up to whole pixels.
        rng: Draws the place.

    Returns:
        Bool (height, width), True in the box.
    """
    height, width = (max(1, round(side * fraction**0.5)) for side in size)
    top, left = rng.integers(size[0] - height + 1), rng.integers(size[1] - width + 1)
    box = np.zeros(size, bool)
    box[top : top + height, left : left + width] = True
    return box


def relative_drops(
    score: Callable[[Tensor], Tensor], image: Tensor, masks: np.ndarray, filler: Tensor
) -> Tensor:
    """By what fraction of its size each score drops under each of some masks.

    Args:
        score: Gives the scores (N, P) of images (N, C, H, W).
        image: A normalised image (C, H, W).
        masks: Bool (n, H, W), True where the image is covered.
        filler: What covers it (C, H, W).

    Returns:
        Drops (n, P): 0 where the score stays, 1 where it drops to zero. They say little of a score
        that was close to zero before.
    """
    before = score(image[None])
    covers = torch.from_numpy(masks).to(image.device)[:, None]
    after = torch.cat([score(torch.where(part, filler, image)) for part in covers.split(BATCH)])
    return (before - after) / before.abs()


def random_masks(
    size: tuple[int, int], fractions: Sequence[float], draws: int, rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray]]:
    """As many random pixels and a random box, each as masks (fractions * draws, H, W)."""
    flat = np.zeros(size, np.float32)
    each = [fraction for fraction in fractions for _ in range(draws)]
    yield 'random pixels', np.stack([marked_pixels(flat, fraction, rng) for fraction in each])
    yield 'random box', np.stack([random_box(size, fraction, rng) for fraction in each])


@torch.no_grad()
def deletion_test(
    score: Callable[[Tensor], Tensor],
    image: Tensor,
    maps: Mapping[str, np.ndarray],
    prototypes: Sequence[int],
    filler: Tensor,
    fractions: Sequence[float],
    draws: int,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """How far scores drop when the pixels that maps mark are covered, and when random ones are.

    Args:
        score: Gives the scores (N, P) of images (N, C, H, W).
        image: A normalised image (C, H, W).
        maps: Maps (k, H, W) of the prototypes, by the name of what made them.
        prototypes: Numbers of the k prototypes.
        filler: What covers the image (C, H, W).
        fractions: Fractions of the image that are covered.
        draws: How many random places are drawn for each fraction.
        rng: Draws them.

    Returns:
        Relative drops (k, fractions) by the names of ``maps``, and of 'random pixels' and
        'random box', which are the mean over the draws.
    """
    columns = list(prototypes)
    drops = {}
    for name, activations in maps.items():
        masks = np.stack(
            [marked_pixels(one, fraction, rng) for one in activations for fraction in fractions]
        )
        drop = relative_drops(score, image, masks, filler)[:, columns]
        each = drop.unflatten(0, (len(columns), len(fractions)))
        drops[name] = torch.stack([each[i, :, i] for i in range(len(columns))]).cpu().numpy()
    for name, masks in random_masks((image.shape[-2], image.shape[-1]), fractions, draws, rng):
        drop = relative_drops(score, image, masks, filler)[:, columns]
        drops[name] = drop.unflatten(0, (len(fractions), draws)).mean(dim=1).T.cpu().numpy()
    return drops
