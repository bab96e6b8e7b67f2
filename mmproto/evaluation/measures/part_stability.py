"""Stability: whether a prototype points at the same parts when the image gets a little noise.

After Huang et al., "Evaluation and Improvement of Interpretability for Self-Explainable
Part-Prototype Networks" (ICCV 2023), the stability score. Their noise is N(0, 0.2) (a standard
deviation) clipped to [-0.25, 0.25], added to the normalised input; boxes and parts are those of
:mod:`mmproto.evaluation.measures.part_consistency`.
"""

import numpy as np

from mmproto.evaluation.measures.part_consistency import rates_by_prototype


def stability(
    hit: np.ndarray,
    hit_noise: np.ndarray,
    prototype: np.ndarray,
    num_prototypes: int,
    counted: np.ndarray | bool = True,
) -> np.ndarray:
    """In what share of its images each prototype hits the same parts with and without noise.

    All parts must agree, and two boxes that hold no part at all do. The published figure is the
    mean over the prototypes of the shares of all pairs, in percent. Where noise changes the
    prediction, another explanation is right: ``counted`` can leave such images out.

    Args:
        hit: Which parts the box of each of M pairs of a prototype and an image holds: bool
            (M, num_parts).
        hit_noise: The same with noise on the image.
        prototype: Prototypes of the pairs (M,).
        num_prototypes: P.
        counted: Which pairs count (M,), such as ``(predicted_noise == predicted)[image]``.

    Returns:
        Shares (P,) in [0, 1]; NaN for a prototype of which no pair counts.
    """
    same = (hit == hit_noise).all(axis=1)
    return rates_by_prototype(same, np.broadcast_to(counted, same.shape), prototype, num_prototypes)
