"""The latent space on a plane: the prototypes among the patches that they were compared with."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from mmproto.analysis.dataset_scores import DatasetScores, ScoredDataset, feature_maps
from mmproto.analysis.model_report import ImagePatch, LatentMap
from mmproto.analysis.nearest_images import boxes_of

SAMPLE = 1500
NEIGHBOURS = 8
DIMENSIONS = 50
PERPLEXITY = 30


def latent_map(
    model: nn.Module,
    splits: Mapping[str, ScoredDataset],
    batch_size: int,
    sample: int = SAMPLE,
    seed: int = 0,
) -> LatentMap:
    """All prototypes and a random sample of patches, one an image.

    The patch of an image is the one that is nearest to a prototype of the image's class, or to
    any prototype if the class has none.

    Args:
        model: A classifier with a ``ProtoPNetHead``, in eval mode.
        splits: The data sets by the name of their split, 'train' and 'test'.
        batch_size: How many images go through the network at once.
        sample: How many patches at most.
        seed: What the sample and the map are drawn with.
    """
    images = [(name, i) for name, one in splits.items() for i in range(len(one.survey.label))]
    rng = np.random.default_rng(seed)
    chosen = sorted(rng.choice(len(images), min(sample, len(images)), replace=False))
    vectors, patches_seen = [model.head.prototype_vectors.detach().flatten(1).cpu().numpy()], []
    for name, one in splits.items():
        of_split = [images[i][1] for i in chosen if images[i][0] == name]
        patches, seen = winning_patches(model, one, of_split, name, batch_size)
        vectors.append(patches)
        patches_seen += seen
    points = np.concatenate(vectors)
    position, method = on_a_plane(points, seed)
    labels = [*model.head.prototype_class.tolist(), *(one.label for one in patches_seen)]
    return LatentMap(
        position=position,
        label=np.array(labels),
        sighting=patches_seen,
        neighbours=nearest_points(points, NEIGHBOURS),
        method=method,
    )


def winning_prototypes(survey: DatasetScores, prototype_class: np.ndarray) -> np.ndarray:
    """For every image (N,) the prototype of its class that scores most, of any if it has none."""
    own = survey.label[:, None] == prototype_class
    own |= ~own.any(axis=1, keepdims=True)
    return np.where(own, survey.score, -np.inf).argmax(axis=1)


@torch.no_grad()
def winning_patches(
    model: nn.Module, surveyed: ScoredDataset, images: list[int], split: str, batch_size: int
) -> tuple[np.ndarray, list[ImagePatch]]:
    """The patches (n, D*h*w) of some images that are nearest to a prototype of their class."""
    head, survey = model.head, surveyed.survey
    h, w = head.prototype_vectors.shape[2:]
    winners = winning_prototypes(survey, head.prototype_class.cpu().numpy())
    patches, patches_seen = [np.empty((0, head.prototype_vectors[0].numel()), np.float32)], []
    batches = feature_maps(model, surveyed.dataset, images, batch_size, f'{split} map')
    for batch, features, size in batches:
        for image, one in zip(batch, features):
            prototype = int(winners[image])
            row, column = survey.cell[image, prototype].tolist()
            patches.append(one[:, row : row + h, column : column + w].reshape(1, -1).cpu().numpy())
            (box,) = boxes_of(head, one, [prototype], size)
            patches_seen.append(
                ImagePatch(
                    split=split,
                    image=image,
                    label=int(survey.label[image]),
                    similarity=float(survey.score[image, prototype]),
                    box=box,
                )
            )
    return np.concatenate(patches), patches_seen


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
