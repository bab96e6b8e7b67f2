"""The measures of FunnyBirds: does an explanation name the parts that the model depends on?

Hesse, Schaub-Meyer and Roth, "FunnyBirds: A Synthetic Vision Dataset for a Part-Based Analysis of
Explainable AI Methods", ICCV 2023, section 4. Images are drawn again without some parts, or with
another background, and the model is asked about them; importances of parts come from the
explanation. All return one value an image, of which the paper takes the mean; higher is better.
"""

from collections.abc import Sequence

import numpy as np

RELEVANT = 0.05  # share of the logit by which it has to drop


def single_deletion(importance: np.ndarray, drop: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of the importances of parts with what their removal costs.

    Args:
        importance: Importance of each part for the true class (N, parts).
        drop: The true class's logit less that without the part (N, parts).

    Returns:
        (1 + correlation) / 2 (N,): 1 for the same order, 0 for the opposite one; NaN where all
        importances or all drops are the same, which the paper leaves out.
    """
    # Twice the ranks, from their middle, equals sharing theirs: how many are less, less how many
    # are more.
    one, other = (
        np.sign(values[:, :, None] - values[:, None]).sum(axis=2) for values in (importance, drop)
    )
    norm = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    correlation = (one * other).sum(axis=1) / np.where(norm > 0, norm, np.nan)
    return (1 + correlation) / 2


def irrelevant(logit: np.ndarray, logit_changed: np.ndarray) -> np.ndarray:
    """Which changes the logit does not mind: it drops by less than 5 % of its size, or rises.

    Args:
        logit: Logit of the true class (N,).
        logit_changed: The same after each of K changes (N, K).

    Returns:
        Bool (N, K).
    """
    drop = logit[:, None] - logit_changed
    return (drop < RELEVANT * np.abs(logit)[:, None]) | (drop <= 0)


def background_independence(logit: np.ndarray, logit_changed: np.ndarray) -> np.ndarray:
    """Share of the changes of the background that the true class's logit does not mind.

    Args:
        logit: Logit of the true class (N,).
        logit_changed: The same with K parts of the background removed or exchanged (N, K).

    Returns:
        Shares (N,), see :func:`irrelevant`.
    """
    return irrelevant(logit, logit_changed).mean(axis=1)


def distractibility(
    important: np.ndarray, logit: np.ndarray, logit_changed: np.ndarray
) -> np.ndarray:
    """Share of the irrelevant parts that an explanation does not point at.

    Args:
        important: Whether the explanation points at each part (N, K), bool; parts of the background
            are parts too.
        logit: Logit of the true class (N,).
        logit_changed: The same without each part (N, K), see :func:`irrelevant`.

    Returns:
        Shares (N,); NaN where every part is relevant, which the paper leaves out.
    """
    idle = irrelevant(logit, logit_changed)
    number = idle.sum(axis=1)
    return 1 - (important & idle).sum(axis=1) / np.where(number, number, np.nan)


def controlled_synthetic_data_check(
    important: np.ndarray, label: np.ndarray, sets: Sequence[np.ndarray]
) -> np.ndarray:
    """How much of one set of parts that is enough to know the class an explanation points at.

    Args:
        important: Whether the explanation points at each part (N, parts), bool, of images that are
            classified correctly; the paper leaves out the others.
        label: True class of each image (N,).
        sets: The sets of every class, bool (sets, parts), see :func:`.part_sets.sufficient_sets`.

    Returns:
        The greatest share of a set (N,).
    """
    shares = [
        (row & sets[one]).sum(axis=1) / sets[one].sum(axis=1) for row, one in zip(important, label)
    ]
    return np.array([share.max() for share in shares])


def preservation_check(logits: np.ndarray, logits_kept: np.ndarray) -> np.ndarray:
    """Whether the parts that an explanation of the prediction points at are enough for it.

    Args:
        logits: Logits (N, C).
        logits_kept: The same with all other parts removed (N, C).

    Returns:
        Bool (N,): the predicted class stays.
    """
    return logits.argmax(axis=1) == logits_kept.argmax(axis=1)


def deletion_check(logits: np.ndarray, logits_deleted: np.ndarray) -> np.ndarray:
    """Whether the parts that an explanation of the prediction points at are needed for it.

    Args:
        logits: Logits (N, C).
        logits_deleted: The same with these parts removed (N, C).

    Returns:
        Bool (N,): the predicted class changes.
    """
    return logits.argmax(axis=1) != logits_deleted.argmax(axis=1)


def target_sensitivity(
    importance: np.ndarray, shared: np.ndarray, logits_without: np.ndarray
) -> np.ndarray:
    """Whether explanations of two wrong classes each point more at what speaks for theirs.

    Args:
        importance: Importance of each part for the first and the second class (N, 2, parts), of
            :func:`.part_sets.contrasting_classes`.
        shared: Which parts the image's bird shares with the one and the other (N, 2, parts), bool.
        logits_without: Logits of the two classes without the parts shared with the one and with the
            other (N, 2 removals, 2 classes).

    Returns:
        0, 0.5 or 1 (N,): how many of the two sets of shared parts are more important for their own
        class, over two; NaN where a removal does not cost its own class more than the other
        removal does, on either side: the model then does not look at these parts, and the paper
        leaves the image out.
    """
    # Sums of importances by whose parts they are of and for which class, like the logits.
    sums = np.einsum('ncp,nsp->nsc', importance, shared)
    right = (sums[:, 0, 0] > sums[:, 0, 1]).astype(float) + (sums[:, 1, 1] > sums[:, 1, 0])
    looks = (logits_without[:, 0, 0] < logits_without[:, 1, 0]) & (
        logits_without[:, 1, 1] < logits_without[:, 0, 1]
    )
    return np.where(looks, right / 2, np.nan)
