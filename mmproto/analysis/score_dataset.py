"""One pass over a data set, which takes along all that is told of its images."""

from collections.abc import Collection, Mapping

import numpy as np
import torch

from mmproto.analysis.dataset_scores import HIGHEST, DatasetScores
from mmproto.analysis.image_patch import ImagePatch, LocatedMap
from mmproto.analysis.patch_pixels import contrast
from mmproto.analysis.scored_images import ScoredImage, scored_images
from mmproto.datasets.checks import labels_of
from mmproto.datasets.image_dataset import ImageDataset
from mmproto.functional import NearestImages
from mmproto.models import ProtoPNet

NEAREST = 5
REFERENCES = 8


def score_dataset(
    model: ProtoPNet,
    dataset: ImageDataset,
    batch_size: int,
    split: str,
    k: int = NEAREST,
    pairs: Mapping[int, Collection[int]] | None = None,
    sample: Collection[int] = (),
    keep_scores: bool = False,
) -> DatasetScores:
    """Send every image of a data set through a model, once.

    Similarity maps are computed image by image, and of those no more are held at once than two for
    each of a prototype's nearest images.

    Args:
        model: A classifier with a :class:`ProtoPNetHead`, in eval mode.
        dataset: Images without augmentation.
        batch_size: How many images go through at once.
        split: What the data set is called: 'train' or 'test'.
        k: How many nearest images of each prototype to find.
        pairs: Further prototypes to locate, by the index of the image.
        sample: Images of which to keep the patch that is nearest to a prototype of their class, or
            to any if their class has none.
        keep_scores: Whether to keep the score of every prototype on every image.

    Raises:
        InputError: If the file of an image cannot be read.
    """
    head, labels, pairs, sample = model.head, labels_of(dataset), pairs or {}, set(sample)
    prototype_class = head.prototype_class.cpu().numpy()
    nearest = NearestImages.empty(len(prototype_class), k)
    maps: dict[tuple[int, int], LocatedMap] = {}
    greys: dict[int, np.ndarray] = {}
    contrasts, references = [], first_of_classes(labels, REFERENCES)
    patches: dict[tuple[int, int], ImagePatch] = {}
    logits, highest, sampled, vectors = [], [], [], []
    scores = np.empty((len(labels), len(prototype_class)), np.float32) if keep_scores else None
    sums, counts = np.zeros((2, 2, len(prototype_class)))

    def to_patch(image: int, found: LocatedMap) -> ImagePatch:
        return found.to_patch(head, split, image, int(labels[image]))

    for batch in scored_images(model, dataset, batch_size, f'{split} set'):
        nearest = nearest.merge(nearest_of(batch, k))
        for one in batch:
            ranked = np.argsort(-one.scores, kind='stable')[:HIGHEST]
            logits.append(one.logits)
            own = prototype_class == labels[one.index]
            sums += (own * one.scores, ~own * one.scores)
            counts += (own, ~own)
            if scores is not None:
                scores[one.index] = one.scores
            highest.append(ranked)
            contrasts.append(contrast(one.grey))
            greys[one.index] = one.grey
            asked = {*pairs.get(one.index, ())}
            if one.index in sample:
                winner = winning_prototype(one.scores, labels[one.index], prototype_class)
                asked.add(winner)
                sampled.append((one.index, winner))
                vectors.append(one.patch_vector(head, winner))
            near = nearest.prototypes_of(one.index)
            found = one.located_maps(head, asked.union(near))
            patches |= {(one.index, j): to_patch(one.index, found[j]) for j in asked}
            maps |= {(one.index, j): found[j] for j in near}
        maps = {pair: maps[pair] for pair in nearest.pairs()}
        wanted = {*pairs, *references, *(image for image, _ in maps)}
        greys = {image: grey for image, grey in greys.items() if image in wanted}

    return DatasetScores(
        labels=labels,
        logits=np.stack(logits),
        highest=np.stack(highest),
        mean_scores=np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0),
        nearest=[
            [to_patch(image, maps[image, j]) for image in nearest.images_of(j)]
            for j in range(len(prototype_class))
        ],
        patches=patches,
        sample=[patches[pair] for pair in sampled],
        sample_vectors=np.stack(vectors) if vectors else np.empty((0, 0), np.float32),
        scores=scores,
        greys=greys,
        contrast=float(np.median(contrasts)),
    )


def nearest_of(batch: list[ScoredImage], k: int) -> NearestImages:
    """Return the k images of a batch that are nearest to each prototype."""
    return NearestImages.of_batch(
        distance=torch.from_numpy(np.stack([one.distances for one in batch])),
        image=torch.tensor([one.index for one in batch]),
        location=torch.from_numpy(np.stack([one.locations for one in batch])),
        k=k,
    )


def winning_prototype(scores: np.ndarray, label: int, prototype_class: np.ndarray) -> int:
    """Return the prototype of an image's class that scores most, of any class if it has none.

    Args:
        scores: Score of every prototype on the image (P,).
        label: Class of the image.
        prototype_class: Class of every prototype (P,), -1 for none.
    """
    own = prototype_class == label
    return int(np.where(own | ~own.any(), scores, -np.inf).argmax())


def first_of_classes(labels: np.ndarray, count: int) -> set[int]:
    """Return the first images of every class, by the labels of all images (N,)."""
    return {int(i) for label in np.unique(labels) for i in np.flatnonzero(labels == label)[:count]}
