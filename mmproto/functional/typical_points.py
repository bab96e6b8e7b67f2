"""Points that stand for many: k-means, and for each centre the point nearest to it."""

import torch
from torch import Tensor

STEPS = 30


def typical_points(points: Tensor, owners: Tensor, count: int, seed: int = 0) -> Tensor:
    """Choose points that stand for all of them, of as many owners as there are.

    Centres by k-means (Lloyd's algorithm from a k-means++ start); for each, the larger its
    cluster the sooner, the nearest point of an owner that has given fewest so far.

    Args:
        points: Points (M, K), at least ``count`` of them.
        owners: Owner of each point (M,), such as the image that a patch is part of.
        count: How many to choose.
        seed: Another seed, another start.

    Returns:
        Indices of different points (count,).
    """
    points = points.double()
    centres = _start(points, count, seed)
    for _ in range(STEPS):
        cluster = torch.cdist(points, centres).argmin(dim=1)
        sizes = cluster.bincount(minlength=count)
        sums = torch.zeros_like(centres).index_add_(0, cluster, points)
        moved = torch.where(sizes[:, None] > 0, sums / sizes.clamp_min(1)[:, None], centres)
        if torch.equal(moved, centres):
            break
        centres = moved
    _, owner = owners.unique(return_inverse=True)
    given = torch.zeros(int(owner.max()) + 1, dtype=torch.long)
    chosen = torch.empty(count, dtype=torch.long)
    distances = torch.cdist(points, centres)
    free = torch.ones(len(points), dtype=torch.bool)
    for centre in sizes.argsort(descending=True, stable=True).tolist():
        fewest = given[owner[free]].min()
        open_to_choice = free & (given[owner] == fewest)
        nearest = distances[:, centre].masked_fill(~open_to_choice, float('inf')).argmin()
        chosen[centre] = nearest
        free[nearest] = False
        given[owner[nearest]] += 1
    return chosen


def _start(points: Tensor, count: int, seed: int) -> Tensor:
    """Points far from each other, drawn by their squared distance to those drawn (k-means++)."""
    generator = torch.Generator().manual_seed(seed)
    first = int(torch.randint(len(points), (1,), generator=generator))
    drawn = [first]
    distance = (points - points[first]).square().sum(dim=1)
    while len(drawn) < count:
        weights = distance if distance.any() else torch.ones_like(distance)
        drawn.append(int(torch.multinomial(weights, 1, generator=generator)))
        distance = distance.minimum((points - points[drawn[-1]]).square().sum(dim=1))
    return points[drawn]
