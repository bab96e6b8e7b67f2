"""Is a map right? Cover the pixels that it marks, and see how far the prototype's score falls."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

BATCH = 64  # pictures that go through the network at once
BLUR = 1 / 8  # standard deviation of the Gaussian, as a share of the shorter side


def mean_colour(picture: Tensor) -> Tensor:
    """The data set's mean colour, which is zero in a normalised picture (C, H, W)."""
    return torch.zeros_like(picture)


def blurred(picture: Tensor) -> Tensor:
    """The normalised picture (C, H, W) without any detail."""
    sigma = BLUR * min(picture.shape[-2:])
    channels = [cv2.GaussianBlur(one, (0, 0), sigma) for one in picture.cpu().numpy()]
    return torch.from_numpy(np.stack(channels)).to(picture)


COVERS: dict[str, Callable[[Tensor], Tensor]] = dict(mean=mean_colour, blur=blurred)


def marked_pixels(activation: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """The pixels that a map marks most.

    Args:
        activation: A map (H, W).
        share: How many pixels, as a share of all.
        rng: Draws among pixels of the same value.

    Returns:
        Bool (H, W), True for ``round(share * H * W)`` pixels.
    """
    flat = activation.ravel()
    order = np.lexsort((rng.random(flat.size), flat))
    marked = np.zeros(flat.size, bool)
    marked[order[flat.size - round(share * flat.size) :]] = True
    return marked.reshape(activation.shape)


def random_box(size: tuple[int, int], share: float, rng: np.random.Generator) -> np.ndarray:
    """A box somewhere in a picture.

    Args:
        size: Height and width of the picture; the box has its shape.
        share: Area of the box, as a share of the picture's, up to whole pixels.
        rng: Draws the place.

    Returns:
        Bool (height, width), True in the box.
    """
    height, width = (max(1, round(side * share**0.5)) for side in size)
    top, left = rng.integers(size[0] - height + 1), rng.integers(size[1] - width + 1)
    box = np.zeros(size, bool)
    box[top : top + height, left : left + width] = True
    return box


def relative_falls(
    score: Callable[[Tensor], Tensor], picture: Tensor, masks: np.ndarray, filler: Tensor
) -> Tensor:
    """By what share of its size each score falls under each of some masks.

    Args:
        score: Gives the scores (N, P) of pictures (N, C, H, W).
        picture: A normalised picture (C, H, W).
        masks: Bool (n, H, W), True where the picture is covered.
        filler: What covers it (C, H, W).

    Returns:
        Falls (n, P): 0 where the score stays, 1 where it falls to zero.
    """
    before = score(picture[None])
    covers = torch.from_numpy(masks).to(picture.device)[:, None]
    after = torch.cat([score(torch.where(part, filler, picture)) for part in covers.split(BATCH)])
    return (before - after) / before.abs()


def random_masks(
    size: tuple[int, int], shares: Sequence[float], draws: int, rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray]]:
    """As many random pixels and a random box, each as masks (shares * draws, H, W)."""
    flat = np.zeros(size, np.float32)
    yield (
        'random pixels',
        np.stack([marked_pixels(flat, share, rng) for share in shares for _ in range(draws)]),
    )
    yield (
        'random box',
        np.stack([random_box(size, share, rng) for share in shares for _ in range(draws)]),
    )


@torch.no_grad()
def measure(
    score: Callable[[Tensor], Tensor],
    picture: Tensor,
    maps: Mapping[str, np.ndarray],
    prototypes: Sequence[int],
    filler: Tensor,
    shares: Sequence[float],
    draws: int,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """How far scores fall when the pixels that maps mark are covered, and when random ones are.

    Args:
        score: Gives the scores (N, P) of pictures (N, C, H, W).
        picture: A normalised picture (C, H, W).
        maps: Maps (k, H, W) of the prototypes, by the name of what made them.
        prototypes: Numbers of the k prototypes.
        filler: What covers the picture (C, H, W).
        shares: Shares of the picture that are covered.
        draws: How many random places are drawn for each share.
        rng: Draws them.

    Returns:
        Relative falls (k, shares) by the names of ``maps``, and of 'random pixels' and
        'random box', which are the mean over the draws.
    """
    columns = list(prototypes)
    falls = {}
    for name, activations in maps.items():
        masks = np.stack(
            [marked_pixels(one, share, rng) for one in activations for share in shares]
        )
        fall = relative_falls(score, picture, masks, filler)[:, columns]
        each = fall.unflatten(0, (len(columns), len(shares)))
        falls[name] = torch.stack([each[i, :, i] for i in range(len(columns))]).cpu().numpy()
    for name, masks in random_masks(tuple(picture.shape[-2:]), shares, draws, rng):
        fall = relative_falls(score, picture, masks, filler)[:, columns]
        falls[name] = fall.unflatten(0, (len(shares), draws)).mean(dim=1).T.cpu().numpy()
    return falls
