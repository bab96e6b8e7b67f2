"""Consistency: whether a prototype points at the same part in all images of its class.

After Huang et al., "Evaluation and Improvement of Interpretability for Self-Explainable
Part-Prototype Networks" (ICCV 2023), the consistency score. Their protocol: test images cropped to
the object's box; the prototypes' maps on all test images of their own class, upsampled by cubic
interpolation to 224 x 224; a box that reaches 36 pixels to either side of the peak
(:mod:`mmproto.evaluation.measures.part_hits`). Left and right parts are parts of their own, and a
visible part that the crop has cut off counts as missed.
"""

import numpy as np

HALF_SIZE = 36  # pixels of a 224 x 224 image
THRESHOLD = 0.8


def rates_by_prototype(
    hit: np.ndarray, counted: np.ndarray, prototype: np.ndarray, num_prototypes: int
) -> np.ndarray:
    """Of the pairs that count, the share of every prototype's that are hits.

    Args:
        hit: Whether each of M pairs of a prototype and an image is a hit: bool (M,), or
            (M, num_parts) for each part.
        counted: Which pairs count, of the same shape: for part rates, where the part is visible.
        prototype: Prototypes of the pairs (M,).
        num_prototypes: P.

    Returns:
        Rates (P,) or (P, num_parts) in [0, 1]; NaN where no pair counts.
    """
    shape = (num_prototypes, *hit.shape[1:])
    hits, pairs = np.zeros(shape), np.zeros(shape)
    np.add.at(hits, prototype, hit & counted)
    np.add.at(pairs, prototype, counted)
    return np.divide(hits, pairs, out=np.full(shape, np.nan), where=pairs > 0)


def best_part_rate(rates: np.ndarray) -> np.ndarray:
    """How often each prototype hits the part that it hits most reliably.

    Args:
        rates: Rates (P, num_parts), NaN for a part that no image shows.

    Returns:
        The greatest rate (P,); NaN if no image shows any part.
    """
    return np.fmax.reduce(rates, axis=1)


def consistency(best_rates: np.ndarray, threshold: float = THRESHOLD) -> np.ndarray:
    """Whether each prototype is consistent: it has a part that it hits in most images.

    The published figure is the mean over the prototypes, in percent. A prototype without a rate
    (published as 0) says nothing about the model, so take ``np.nanmean``.

    Args:
        best_rates: Best part rates (P,).
        threshold: Least rate of a consistent prototype.

    Returns:
        1 or 0 (P,); NaN for a prototype without a rate.
    """
    return np.where(np.isnan(best_rates), np.nan, best_rates >= threshold)
