"""Whether noise leaves the cell that scored where it is, without asking what the cell shows.

The published stability (:mod:`mmproto.evaluation.measures.part_stability`) asks which parts lie in
a box: one that wanders over places without any part is stable by it. This one asks for the place
itself. A cell beside the first counts as the same, since one feature often lies across two.
"""

import numpy as np


def same_or_adjacent(cells: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether cells are the same, or touch at a side or a corner.

    Args:
        cells: Rows and columns (..., 2), int.
        others: Those that they are compared with (..., 2).

    Returns:
        Bool (...).
    """
    return (np.abs(cells - others) <= 1).all(axis=-1)


def cell_stability(cells: np.ndarray, noisy: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """In what share of the draws of noise each cell stays, or moves to one beside it.

    Args:
        cells: Row and column of the cell that scored of each of k prototypes (k, 2), int.
        noisy: The same under S draws of noise (S, k, 2).
        counted: Which draws count (S,), such as those that leave the prediction as it is.

    Returns:
        Shares (k,) in [0, 1]; NaN if no draw counts.
    """
    if not counted.any():
        return np.full(len(cells), np.nan)
    return same_or_adjacent(cells, noisy[counted]).mean(axis=0)
