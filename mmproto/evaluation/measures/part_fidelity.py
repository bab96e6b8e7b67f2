"""Whether the part that a prototype shows is the part that its score depends on."""

import numpy as np


def part_fidelity(
    shown: np.ndarray, score: np.ndarray, score_changed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Whether changing the part that a prototype shows lowers its score most of all parts.

    It is the prototype's counterpart of FunnyBirds' single deletion (Hesse et al., ICCV 2023),
    which asks it of a class. Parts that lower a score by the same are all the one that does so
    most; a part that does not lower the score never is.

    Args:
        shown: The part that a prototype shows in an image (N, P), -1 for none: that of its box, or
            of the cell of its greatest similarity (:func:`.part_areas.shown_parts`).
        score: Score of each prototype (N, P).
        score_changed: The same with one part changed (N, parts, P): removed, or exchanged for
            another one.

    Returns:
        Whether it is so (N, P), 1 or 0, and the chance of that for a part drawn at random (N, P):
        how many of the parts would do, over all of them. NaN where no part is shown.
    """
    drop = score[:, None] - score_changed
    decisive = (drop == drop.max(axis=1, keepdims=True)) & (drop > 0)
    hit = np.take_along_axis(decisive, np.maximum(shown, 0)[:, None], axis=1)[:, 0]
    return np.where(shown < 0, np.nan, hit), np.where(shown < 0, np.nan, decisive.mean(axis=1))
