"""What a model makes of the images of a data set, as plain data."""

from dataclasses import dataclass, field

import numpy as np
import torch

from mmproto.analysis.image_patch import ImagePatch

HIGHEST = 10


@dataclass(frozen=True)
class DatasetScores:
    """What one pass over N images has found.

    It holds no map, and the scores of all prototypes on all images only where they are asked for.

    Attributes:
        labels: True class of every image (N,).
        logits: Logit of every class (N, K), fp32.
        highest: The ten highest-scoring prototypes of every image (N, 10), the highest first; fewer
            if there are fewer.
        mean_scores: Mean score of every prototype on the images of its class, and on all others
            (2, P); NaN where there is no such image.
        nearest: For every prototype the patches nearest to it, one an image, the nearest first.
        patches: The patches that were asked for, by image and prototype.
        sample: The patch of every image of the sample.
        sample_vectors: These patches, as prototypes are compared with them (n, D*h*w).
        scores: Score of every prototype on every image (N, P), fp32; None unless asked for.
        greys: Small grey copies of the images with a patch of ``nearest``, of those asked for by a
            pair and of the first of every class; by the images' indices.
        contrast: Median over the images of the standard deviation of their grey values.
    """

    labels: np.ndarray
    logits: np.ndarray
    highest: np.ndarray
    mean_scores: np.ndarray
    nearest: list[list[ImagePatch]] = field(repr=False)
    patches: dict[tuple[int, int], ImagePatch] = field(repr=False)
    sample: list[ImagePatch] = field(repr=False)
    sample_vectors: np.ndarray = field(repr=False)
    scores: np.ndarray | None = field(repr=False, default=None)
    greys: dict[int, np.ndarray] = field(repr=False, default_factory=dict)
    contrast: float = 0.0

    @property
    def predicted(self) -> np.ndarray:
        """The predicted class of every image (N,)."""
        return self.logits.argmax(axis=1)

    @property
    def confidence(self) -> np.ndarray:
        """Softmax probability of the predicted class (N,)."""
        return torch.from_numpy(self.logits).softmax(dim=1).amax(dim=1).numpy()

    @property
    def confusion_matrix(self) -> np.ndarray:
        """How many images of each class (rows) are predicted to be of each (columns): (K, K)."""
        classes = self.logits.shape[1]
        pairs = self.labels * classes + self.predicted
        return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
