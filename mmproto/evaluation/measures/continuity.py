"""What changes of an explanation when the image changes.

Two protocols ask this, and the functions serve both:

* QuanProto (Schlinge et al., Comprehensive evaluation of prototype neural networks, 2025): a slight
  augmentation, under which an explanation should stay (and, for its output completeness, noise
  outside the box that is shown), for the 5 prototypes that score highest before. Its PLC is
  :func:`peak_shift`, PSC the absolute :func:`score_drop`, PAC :func:`value_change`, PALC
  :func:`region_change` of the maps' :func:`~mmproto.evaluation.measures.shown_region.upper_half`,
  PRC the absolute :func:`rank_drop` among all prototypes, and CRC the :func:`rank_drop` of the
  predicted class among the logits.
* Sacha et al., Interpretability benchmark for evaluating spatial misalignment of prototypical parts
  explanations (AAAI 2024): an adversarial attack outside the box that is shown, for the prototype
  that scores highest before. Here PAC is :func:`score_drop`, PRC the :func:`rank_drop` among the
  prototypes of the other classes than the true one, and PLC :func:`region_change` of what is
  above the 90th percentile (:func:`~mmproto.evaluation.measures.shown_region.highest`) of the
  maps, upsampled bilinearly to the size of the input.

All but the ranks and cells are fractions, where both papers write percent. QuanProto's averages are
means over batches; the mean over all images does not weigh those of a small last batch more.
"""

import numpy as np

from mmproto.evaluation.measures.overlap import iou


def peak_shift(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """How far the highest cell of a map moves (QuanProto's PLC).

    Args:
        before: Maps (..., H, W).
        after: Maps (..., H, W); the leading dimensions are broadcast.

    Returns:
        Distances (...) in cells, down and across added. Among equal cells the first by rows counts.
    """
    (row, column), (new_row, new_column) = _peak(before), _peak(after)
    return abs(row - new_row) + abs(column - new_column)


def region_change(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """How much of what is shown changes: 1 - intersection over union.

    Args:
        before: Regions (..., H, W), bool.
        after: Regions (..., H, W), bool; the leading dimensions are broadcast.

    Returns:
        Changes (...), from 0 for the same region to 1 for another one.
    """
    return 1 - iou(before, after)


def score_drop(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """By what fraction of it a score drops (Sacha's PAC; QuanProto's PSC without its sign).

    Args:
        before: Scores (...), above 0.
        after: Scores (...).

    Returns:
        Drops (...): 0 where the score stays, 1 where it drops to 0, below 0 where it rises.
    """
    return (before - after) / before


def value_change(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """How much the values of a map change, wherever they are (QuanProto's PAC).

    The values of each map are sorted, the smaller and the greater one of each two that meet are
    summed, and one sum divided by the other. It means nothing of negative values, such as the
    logits whose change QuanProto calls CAC.

    Args:
        before: Maps (..., H, W), at least 0.
        after: Maps (..., H, W), at least 0; the leading dimensions are broadcast.

    Returns:
        Changes (...), from 0 for the same values to 1; NaN for two maps of zeros.
    """
    one, other = (np.sort(maps.reshape(*maps.shape[:-2], -1)) for maps in (before, after))
    return 1 - np.minimum(one, other).sum(axis=-1) / np.maximum(one, other).sum(axis=-1)


def rank_drop(
    before: np.ndarray, after: np.ndarray, items: np.ndarray, rivals: np.ndarray | bool = True
) -> np.ndarray:
    """How many places prototypes, or classes, fall when all are ranked by their scores.

    The first place is that of the highest score, and equal scores share a place. QuanProto breaks
    ties as its sorting happens to, so that it sees a change of rank where nothing has changed.

    Args:
        before: Scores (..., P) of all prototypes or logits of all classes.
        after: Scores (..., P); the leading dimensions are broadcast.
        items: Numbers (..., k) of those that are followed, from 0.
        rivals: Bool (..., P), who takes part besides them. Defaults to all.

    Returns:
        Places (..., k): how many more rivals score higher than before, below 0 for fewer.
    """
    return _rank(after, items, rivals) - _rank(before, items, rivals)


def _peak(maps: np.ndarray) -> tuple[np.ndarray, ...]:
    flat = maps.reshape(*maps.shape[:-2], maps.shape[-2] * maps.shape[-1])  # of no map too
    return np.unravel_index(flat.argmax(axis=-1), maps.shape[-2:])


def _rank(scores: np.ndarray, items: np.ndarray, rivals: np.ndarray | bool) -> np.ndarray:
    own = np.take_along_axis(scores, items, axis=-1)
    rival_scores = np.where(rivals, scores, -np.inf)
    return (rival_scores[..., None, :] > own[..., None]).sum(axis=-1)
