"""Which part of an image a match really depends on, beside the box that shows it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from mmproto.explanation.attribution import smooth
from mmproto.explanation.prototype_match import PrototypeMatch
from mmproto.functional import Box, effective_receptive_field, unfold_patches
from mmproto.models import ProtoPNet

# Of the field in the region that is drawn: as much matters inside of it as outside. Its rest is a
# long tail, which at 95 % would cover most of an image.
HALF = 0.5


@dataclass(frozen=True)
class EffectiveField:
    """The effective receptive field of the cells that a prototype is found in.

    Attributes:
        region: The fewest pixels of the network's input that hold half of it, once it is lightly
            smoothed: bool (H, W).
        in_box: Share of it, not smoothed, that lies in the match's box; NaN if the score depends
            on no pixel.
        in_cell: Share of it in the match's cells.
    """

    region: np.ndarray
    in_box: float
    in_cell: float


def effective_fields(
    model: ProtoPNet, image: Tensor, matches: Iterable[PrototypeMatch], count: int
) -> dict[int, EffectiveField]:
    """Measure the effective receptive fields of matches in one image, by number of the prototype.

    Args:
        model: The classifier, in eval mode.
        image: The normalised image (C, H, W).
        matches: Where the prototypes are found in it; a prototype may be among them twice.
        count: Of how many prototypes, the first ones; each takes a backward pass.
    """
    every = {match.prototype: match for match in matches}
    found = dict(islice(every.items(), count))
    if not found:
        return {}
    locations = [match.location for match in found.values()]
    fields = patch_fields(model, image, list(found), locations).cpu()
    return {
        prototype: EffectiveField(
            region=smallest_region(smoothed, HALF),
            in_box=share_in(field, found[prototype].box),
            in_cell=share_in(field, found[prototype].cell),
        )
        for prototype, field, smoothed in zip(found, fields.numpy(), smooth(fields))
    }


@torch.enable_grad()
def patch_fields(
    model: ProtoPNet,
    image: Tensor,
    prototypes: Sequence[int],
    locations: Iterable[Sequence[int]],
) -> Tensor:
    """See :func:`mmproto.functional.effective_receptive_field`.

    It takes a forward pass, and a backward pass for each prototype.

    Args:
        model: The classifier, in eval mode.
        image: The normalised image (C, H, W).
        prototypes: Numbers of k prototypes.
        locations: Row and column of the patch that each is found in.

    Returns:
        Shares (k, H, W).
    """
    leaf = image.detach().clone().requires_grad_()
    features = model.extract_feat(leaf[None])[-1]
    vectors = model.head.prototype_vectors.detach()[prototypes]
    height, width = vectors.shape[2:]
    columns = features.shape[3] - width + 1
    places = [row * columns + column for row, column in locations]
    patches = unfold_patches(features, (height, width))[0, places]
    return effective_receptive_field(leaf, patches, vectors.flatten(1))


def share_in(field: np.ndarray, box: Box) -> float:
    """Share of a field (H, W) in a box; NaN for a field that is 0 everywhere."""
    whole = field.sum(dtype=np.float64)
    inside = field[box.top : box.bottom, box.left : box.right].sum(dtype=np.float64)
    return float(inside / whole) if whole else float('nan')


def smallest_region(field: np.ndarray, share: float) -> np.ndarray:
    """Return the fewest pixels that hold a share of a field, with all that equal the last of them.

    Args:
        field: How much every pixel (H, W) matters, nothing negative.
        share: Share of the sum, more than 0.

    Returns:
        Whether a pixel is among them (H, W); none is of a field that is 0 everywhere.
    """
    ranked = np.sort(field, axis=None)[::-1]
    held = ranked.cumsum(dtype=np.float64)
    least = ranked[np.searchsorted(held, share * held[-1])]
    return (field >= least) & (field > 0)
