"""Scores of a data set as a pass might find them."""

import numpy as np

from mmproto.analysis.dataset_scores import DatasetScores


def random_scores(seed, images, prototypes, classes):
    """Without a patch; the highest-scoring prototypes follow from scores that are gone."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(images, prototypes))
    return DatasetScores(
        labels=rng.integers(classes, size=images),
        logits=rng.normal(size=(images, classes)).astype(np.float32),
        highest=np.argsort(-scores, axis=1)[:, :10],
        mean_scores=np.full((2, prototypes), np.nan),
        nearest=[[]] * prototypes,
        patches={},
        sample=[],
        sample_vectors=np.empty((0, 0)),
    )
