"""The distance of each image's nearest patch to every prototype, without all pairs (section 2.1).

There are N x L x P pairs of a patch and a prototype, but N x P nearest patches. Both are walked
in blocks: no memory is filled with all of them, and a gradient is that of the nearest alone.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

Distance = Callable[[Tensor, Tensor], Tensor]

# Pairs of an image that are compared at once, which stay in a processor's cache.
PAIRS = 2**17
# Numbers of an image's patches that are compared exactly at once.
NUMBERS = 2**15


def nearest_distance(
    distance_of: Distance, pairwise_distance: Distance, patches: Tensor, prototypes: Tensor
) -> tuple[Tensor, Tensor]:
    """Find the nearest patch ``argmin_l d(z_l, p_j)`` and its distance; the first of equals.

    Args:
        distance_of: Gives the distances (...) of patches (..., K) to prototypes (..., K).
        pairwise_distance: Gives the distances (N, L, P) of patches (N, L, K) to prototypes
            (P, K), by which the nearest is found. They may be rounded.
        patches: Patches (N, L, K).
        prototypes: Prototypes (P, K).

    Returns:
        Distances (N, P), exact, with the gradient of ``distance_of``; and the numbers of the
        patches (N, P).
    """
    count = patches.shape[1]
    # How many blocks there are must not depend on the image where a graph is to take any size.
    step = len(prototypes) if isinstance(count, torch.SymInt) else max(1, PAIRS // count)
    with torch.no_grad():
        blocks = prototypes.split(step)
        # argmin promises the first of equals
        nearest = [pairwise_distance(patches, some).argmin(dim=1) for some in blocks]
    numbers = torch.cat(nearest, dim=1)
    return distance_at(distance_of, patches, numbers, prototypes), numbers


def distance_at(
    distance_of: Distance, patches: Tensor, numbers: Tensor, prototypes: Tensor
) -> Tensor:
    """Return the distances (N, P) of the patches of those numbers (N, P) to the prototypes.

    The patches themselves, (N, P, K) in all, are not kept for the gradient but looked up again.

    Args:
        distance_of: See :func:`nearest_distance`.
        patches: Patches (N, L, K).
        numbers: Number of a patch for each image and prototype (N, P).
        prototypes: Prototypes (P, K).
    """

    def compare(patches: Tensor, places: Tensor, some: Tensor) -> Tensor:
        # Not take_along_dim: an exported graph would take the number of images for a constant.
        chosen = patches.gather(1, places[..., None].expand(-1, -1, patches.shape[-1]))
        return distance_of(chosen, some)

    again = partial(checkpoint, compare, use_reentrant=False, preserve_rng_state=False)
    compared = again if torch.is_grad_enabled() else compare
    step = max(1, NUMBERS // prototypes.shape[1])
    blocks = zip(numbers.split(step, dim=1), prototypes.split(step))
    return torch.cat([compared(patches, *block) for block in blocks], dim=1)
