"""The latent space on a plane: the prototypes among the patches that they were compared with."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mmproto.analysis.dataset_scores import DatasetScores
from mmproto.analysis.image_patch import ImagePatch
from mmproto.models import ProtoPNetHead

SAMPLE = 1500
NEIGHBOURS = 8
DIMENSIONS = 50
PERPLEXITY = 30


@dataclass(frozen=True)
class LatentMap:
    """The latent space in two dimensions: all prototypes, and a sample of patches.

    Attributes:
        positions: Where every point is (M, 2); the prototypes come first, in order.
        labels: Class of every point (M,).
        patches: The patch of every point that is no prototype (M - P).
        neighbours: For every point the indices of the nearest others in the latent space (M, k).
        method: What the dimensions were reduced by, in words.
    """

    positions: np.ndarray
    labels: np.ndarray
    patches: list[ImagePatch]
    neighbours: np.ndarray
    method: str


def draw_sample(
    sizes: Mapping[str, int], count: int = SAMPLE, seed: int = 0
) -> dict[str, list[int]]:
    """Draw the images whose patches a map shows.

    Args:
        sizes: Number of images by split.
        count: How many images to draw, all if there are fewer.
        seed: Seed of the draw.

    Returns:
        Indices of the images, ascending, by split.
    """
    images = [(split, image) for split, size in sizes.items() for image in range(size)]
    rng = np.random.default_rng(seed)
    drawn = sorted(rng.choice(len(images), min(count, len(images)), replace=False))
    return {split: [images[i][1] for i in drawn if images[i][0] == split] for split in sizes}


def latent_map(
    head: ProtoPNetHead, scores: Mapping[str, DatasetScores], seed: int = 0
) -> LatentMap:
    """Draw a map of all prototypes and of the samples of some data sets.

    Args:
        head: The :class:`ProtoPNetHead`.
        scores: What was found of each data set, by split.
        seed: Seed of the map.
    """
    prototypes = head.prototype_vectors.detach().flatten(1).cpu().numpy()
    samples = [one.sample_vectors for one in scores.values() if len(one.sample)]
    points = np.concatenate([prototypes, *samples])
    patches = [patch for one in scores.values() for patch in one.sample]
    positions, method = on_a_plane(points, seed)
    return LatentMap(
        positions=positions,
        labels=np.array([*head.prototype_class.tolist(), *(patch.label for patch in patches)]),
        patches=patches,
        neighbours=nearest_points(points, NEIGHBOURS),
        method=method,
    )


def on_a_plane(points: np.ndarray, seed: int) -> tuple[np.ndarray, str]:
    """Reduce points (M, D) to two dimensions (M, 2); also says how, in words."""
    from sklearn.decomposition import PCA  # of the extra 'explain'
    from sklearn.manifold import TSNE

    reduced = PCA(min(DIMENSIONS, *points.shape), random_state=seed).fit_transform(points)
    perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
    start = np.zeros((len(points), 2), np.float32)
    start[:, : reduced.shape[1]] = reduced[:, :2]
    # As scikit-learn's own start from a PCA, which fails on points that are all the same.
    start *= 1e-4 / max(start.std(axis=0)[0], np.finfo(np.float32).tiny)
    tsne = TSNE(perplexity=perplexity, init=start, random_state=seed)
    method = f'PCA to {reduced.shape[1]} dimensions, then t-SNE of perplexity {perplexity:.3g}'
    return tsne.fit_transform(reduced), method


def nearest_points(points: np.ndarray, k: int) -> np.ndarray:
    """For every point (M, D) the k nearest others (M, k), the nearest first; all if fewer."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=min(k, len(points) - 1)).fit(points)
    return search.kneighbors(return_distance=False)
