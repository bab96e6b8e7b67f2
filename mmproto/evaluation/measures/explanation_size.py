"""How large an explanation is: how many prototypes a person has to look at.

After QuanProto (Schlinge et al., Comprehensive evaluation of prototype neural networks, 2025, its
"compactness"), whose thresholds these are. Duplicates are ours.
"""

import numpy as np

EPSILON = 1e-3  # a weight of the last layer that is not greater counts as zero
ACTIVE = 0.1  # a prototype is active above this fraction of the image's highest score


def global_size(weight: np.ndarray, epsilon: float = EPSILON) -> int:
    """How many prototypes speak for some class.

    Args:
        weight: The last layer (C, P).
        epsilon: A weight counts if it is greater.
    """
    return int((weight > epsilon).any(axis=0).sum())


def sparsity(weight: np.ndarray, epsilon: float = EPSILON) -> float:
    """Which share of the last layer's weights is zero, from 0 to 1.

    Args:
        weight: The last layer (C, P).
        epsilon: A weight is zero if its size is not greater.
    """
    return float((abs(weight) <= epsilon).mean())


def local_size(scores: np.ndarray, threshold: float = ACTIVE) -> np.ndarray:
    """How many prototypes are active in an image.

    Args:
        scores: Scores (N, P), at least 0.
        threshold: A prototype is active above this fraction of the highest score of the image.

    Returns:
        Numbers (N,).
    """
    return (scores > threshold * scores.max(axis=1, keepdims=True)).sum(axis=1)


def copies(prototypes: np.ndarray, prototype_class: np.ndarray) -> np.ndarray:
    """How many others of its class each prototype equals.

    Args:
        prototypes: Prototypes (P, D).
        prototype_class: Class of each prototype (P,).

    Returns:
        Numbers (P,), 0 for a prototype that is not there twice.
    """
    rows = np.column_stack([prototype_class, prototypes])
    _, group, size = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    return size[group.ravel()] - 1  # before NumPy 2.1 some versions keep a dimension


def num_duplicates(prototypes: np.ndarray, prototype_class: np.ndarray) -> int:
    """How many prototypes repeat another one of their class, and so explain nothing more.

    Prototypes that were pushed onto the same patch are equal to the bit.

    Args:
        prototypes: Prototypes (P, D).
        prototype_class: Class of each prototype (P,).

    Returns:
        How many could go, so that one of each group of equal ones is left.
    """
    return len(prototypes) - len(np.unique(np.column_stack([prototype_class, prototypes]), axis=0))
