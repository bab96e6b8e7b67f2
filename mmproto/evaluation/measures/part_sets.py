"""Sets of parts that tell classes apart, where a class is one variant of each part.

Classes are arrays (classes, parts) of whatever names the variants, such as
``np.array([astuple(species(number)) for number in range(classes)])`` of the rendered birds.
"""

from itertools import combinations

import numpy as np


def sufficient_sets(variants: np.ndarray, label: int) -> np.ndarray:
    """Return the smallest sets of parts by which a class is known.

    A set is sufficient if no other class has the same variants of all its parts, and minimal if
    none of its subsets is (Hesse et al., FunnyBirds, ICCV 2023, controlled synthetic data check).
    The published code finds none for the last class.

    Args:
        variants: The variant of each part (classes, parts).
        label: The class.

    Returns:
        Bool (sets, parts), smaller sets first; no set where another class is the same.
    """
    parts = variants.shape[1]
    same = np.delete(variants == variants[label], label, axis=0)
    found = np.empty((0, parts), bool)
    for size in range(1, parts + 1):
        for members in combinations(range(parts), size):
            chosen = np.isin(np.arange(parts), members)
            if (found <= chosen).all(axis=1).any():
                continue  # a subset is enough
            if not same[:, chosen].all(axis=1).any():
                found = np.vstack([found, chosen])
    return found


def contrasting_classes(variants: np.ndarray, label: int) -> tuple[int, int] | None:
    """Return two classes that have two parts each in common with a class, and not the same ones.

    They are those that target sensitivity compares (Hesse et al., FunnyBirds, ICCV 2023).

    Args:
        variants: The variant of each part (classes, parts).
        label: The class.

    Returns:
        The first such pair, None if there is none.
    """
    shared = variants == variants[label]
    for pair in combinations(np.flatnonzero(shared.sum(axis=1) == 2).tolist(), 2):
        if not shared[list(pair)].all(axis=0).any():
            return pair
    return None
