"""The pointing game on a segmentation: how much of what a map marks lies on the object.

After CaBRNet (Xu-Darme et al., CaBRNet, an open-source library for developing and evaluating
case-based reasoning models, 2024, version 1.2, "relevance analysis"). Its protocol: the maps of
the prototypes that matter most to the prediction, in the pixels of the picture that the network
saw, before it was resized (cubic interpolation, :func:`cv2.resize`). CaBRNet keeps only the best
cell of a map (:func:`best_cell`); without it, the measures speak of the whole map.
"""

import numpy as np

from mmproto.evaluation.measures.unit_range import unit_range

MARKED = 0.1  # share of the pixels that a map is said to mark


def best_cell(similarity: np.ndarray) -> np.ndarray:
    """Keep only the cell of a prototype's nearest patch.

    Args:
        similarity: Maps (..., H', W').

    Returns:
        Maps (..., H', W'), fp32: 1 in the highest cell, the first by rows if there are several,
        and 0 in all others.
    """
    flat = similarity.reshape(*similarity.shape[:-2], -1)
    first = np.arange(flat.shape[-1]) == flat.argmax(axis=-1, keepdims=True)
    return first.reshape(similarity.shape).astype(np.float32)


def mask_relevance(maps: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Which share of the pixels that a map marks lies on the object.

    Marked is what is above the value that 90 % of the pixels do not exceed, which is one pixel
    less than 10 %, and fewer where many pixels share that value. If it is the highest value of
    the map, CaBRNet marks nothing and gives 0, even to a map that is 1 on the object and 0
    elsewhere; here all pixels of the highest value are marked then.

    Args:
        maps: Maps (k, H, W) of k prototypes in the pixels of one image.
        mask: Bool (H, W), True on the object.

    Returns:
        Shares (k,): 1 if all that is marked lies on the object, the object's share of the image
        if a map is constant; NaN if the mask is empty.
    """
    # In one range, values that only rounding tells apart are the same.
    flat = unit_range(maps).reshape(len(maps), -1)
    rank = int(flat.shape[1] * (1 - MARKED))
    threshold = np.partition(flat, rank, axis=1)[:, rank, None]
    above = flat > threshold
    return _share_on(np.where(above.any(axis=1, keepdims=True), above, flat == threshold), mask)


def energy_relevance(maps: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Which share of a map's energy lies on the object (Wang et al., Score-CAM, 2020, 4.3).

    A pixel's energy is how far it is above the lowest value of the map, as in CaBRNet, which
    scales each map from 0 to 1 first; so it is never negative. A constant map has no energy, and
    CaBRNet gives it 0; here it is spread evenly.

    Args:
        maps: Maps (k, H, W) of k prototypes in the pixels of one image.
        mask: Bool (H, W), True on the object.

    Returns:
        Shares (k,): 1 if the map is at its lowest off the object, the object's share of the image
        if it is constant; NaN if the mask is empty.
    """
    energy = unit_range(maps).reshape(len(maps), -1)
    return _share_on(np.where(energy.any(axis=1, keepdims=True), energy, 1), mask)


def object_share(mask: np.ndarray) -> float:
    """Return the object's share of the image, which a map that marks pixels by chance gets.

    Args:
        mask: Bool (H, W), True on the object.

    Returns:
        Share above 0 and up to 1; NaN if the mask is empty, as that image has no values either.
    """
    return float(mask.mean()) if mask.any() else float('nan')


def _share_on(weights: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Share (k,) of the weights (k, H * W) that lies on the object."""
    if not mask.any():
        return np.full(len(weights), np.nan)
    return weights[:, mask.ravel()].sum(axis=1, dtype=float) / weights.sum(axis=1, dtype=float)
