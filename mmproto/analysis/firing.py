"""How often prototypes fire: are among the highest-scoring ones of an image."""

import numpy as np

from mmproto.analysis.dataset_scores import HIGHEST, DatasetScores


def fires_among(prototypes: int, classes: int) -> int:
    """Among how many of an image's highest-scoring prototypes one is said to fire.

    As many as a class has, on average, at least one and at most ten: if each class had its
    prototypes to itself, only those of the image's class would fire.
    """
    return min(HIGHEST, max(1, prototypes // classes))


def firing_shares(test: DatasetScores, prototype_class: np.ndarray) -> np.ndarray:
    """On what share of the test images each prototype fires.

    Args:
        test: The scores of the test images.
        prototype_class: Class of every prototype (P,), -1 for none.

    Returns:
        For every prototype the share of the images of its own class on which it fires, and the
        share of all other images: (2, P); NaN where there is no such image.
    """
    prototypes, classes = len(prototype_class), test.logits.shape[1]
    firing = test.highest[:, : fires_among(prototypes, classes)]
    on_own = prototype_class[firing] == test.labels[:, None]
    images = np.bincount(test.labels, minlength=classes)
    own_images = np.where(prototype_class >= 0, images[prototype_class], 0)
    return np.stack(
        [
            _share(np.bincount(firing[chosen], minlength=prototypes), count)
            for chosen, count in (
                (on_own, own_images),
                (~on_own, len(test.labels) - own_images),
            )
        ]
    )


def _share(times: np.ndarray, images: np.ndarray) -> np.ndarray:
    share = np.full(len(images), np.nan)
    return np.divide(times, images, out=share, where=images > 0)
