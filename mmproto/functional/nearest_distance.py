"""The distance of each image's nearest patch to every prototype, without all pairs (section 2.1).

There are N x L x P pairs of a patch and a prototype, but N x P nearest patches. Both are walked
in blocks: no memory is filled with all of them, and a gradient is that of the nearest alone.
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

Distance = Callable[[Tensor, Tensor], Tensor]

# Pairs that are compared at once: they stay in a CPU's cache, or keep another device busy.
PAIRS = 2**19
PAIRS_ELSEWHERE = 2**24
# Numbers of an image's nearest patches that are compared exactly at once.
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
    numbers = nearest_numbers(pairwise_distance, patches, prototypes)
    return distance_at(distance_of, patches, numbers, prototypes), numbers


@torch.no_grad()
def nearest_numbers(pairwise_distance: Distance, patches: Tensor, prototypes: Tensor) -> Tensor:
    """Return the number of each image's nearest patch to every prototype (N, P).

    Args:
        pairwise_distance: See :func:`nearest_distance`.
        patches: Patches (N, L, K).
        prototypes: Prototypes (P, K).
    """
    images, count = patches.shape[:2]
    if isinstance(images * count, torch.SymInt):
        # How many blocks there are must not depend on the images where a graph is to take any.
        return pairwise_distance(patches, prototypes).argmin(dim=1)
    pairs = PAIRS if patches.device.type == 'cpu' else PAIRS_ELSEWHERE
    columns = max(1, pairs // count)
    rows = max(1, pairs // (count * min(columns, len(prototypes))))
    # Filled in place: small results put by between large blocks would keep their memory from use.
    numbers = torch.empty((images, len(prototypes)), dtype=torch.long, device=patches.device)
    for some_numbers, some in zip(numbers.split(rows), patches.split(rows)):
        some = some.contiguous()
        for block, vectors in zip(some_numbers.split(columns, dim=1), prototypes.split(columns)):
            # argmin promises the first of equals
            block.copy_(pairwise_distance(some, vectors).argmin(dim=1))
    return numbers


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
    rows = patches.flatten(0, 1)
    first = patches.shape[1] * torch.arange(patches.shape[0], device=patches.device)

    def compare(rows: Tensor, places: Tensor, some: Tensor) -> Tensor:
        # Not gather, whose gradient goes number by number, and on a GPU in no certain order.
        return distance_of(F.embedding(places, rows), some)

    again = partial(checkpoint, compare, use_reentrant=False, preserve_rng_state=False)
    compared = again if torch.is_grad_enabled() else compare
    step = max(1, NUMBERS // prototypes.shape[1])
    blocks = zip((numbers + first[:, None]).split(step, dim=1), prototypes.split(step))
    return torch.cat([compared(rows, *block) for block in blocks], dim=1)
