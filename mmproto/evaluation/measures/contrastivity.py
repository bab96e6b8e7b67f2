"""How much the prototypes of an image differ from each other, and from those of other classes.

After QuanProto (Schlinge et al., Comprehensive evaluation of prototype neural networks, 2025, its
"contrastivity"), for the 5 prototypes that score highest on an image. PLC, PALC and PD within an
image are :func:`between_pairs` of :func:`~mmproto.evaluation.measures.continuity.peak_shift` on
their maps, of :func:`~mmproto.evaluation.measures.continuity.region_change` on what they show, and
of :func:`vector_distance` on their vectors.
"""

from collections.abc import Callable

import numpy as np
import torch

from mmproto.functional import cosine_distance, unit_length


def between_pairs(
    measure: Callable[[np.ndarray, np.ndarray], np.ndarray], items: np.ndarray
) -> np.ndarray:
    """Mean of a measure over all pairs of two prototypes of an image.

    Args:
        measure: Compares items, with leading dimensions that are broadcast.
        items: Maps, regions or vectors (N, k, ...) of k prototypes, at least 2.

    Returns:
        Means (N,).
    """
    each = measure(items[:, :, None], items[:, None])
    return each[:, ~np.eye(items.shape[1], dtype=bool)].mean(axis=1)


def vector_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine distance of prototypes.

    Args:
        first: Vectors (..., D), of floats.
        second: Vectors (..., D); the leading dimensions are broadcast.

    Returns:
        Distances (...), from 0 for the same direction to 2.
    """
    one, other = (unit_length(torch.from_numpy(vectors)) for vectors in (first, second))
    return cosine_distance(one, other).numpy()


def between_classes(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean cosine distance of an image's prototypes from those of images of other classes.

    The highest-scoring prototype is compared with the highest-scoring ones, the second with the
    second, and so on: if all images have the same prototypes, nothing tells the classes apart. This
    is QuanProto's inter PD, which it averages over the images of a class and then over all classes,
    where one without images counts as 0.

    Args:
        vectors: Vectors (N, k, D) of the k prototypes of each image, the highest-scoring first.
        labels: Classes (N,) of the images.

    Returns:
        Means (N,), from 0 to 2; NaN if all images are of one class.
    """
    unit = unit_length(torch.from_numpy(vectors).double()).numpy()
    _, group, images = np.unique(labels, return_inverse=True, return_counts=True)
    of_class = np.zeros((len(images), *unit.shape[1:]))
    np.add.at(of_class, group, unit)
    # The mean of cosines is the cosine with the mean, so that no pair is ever looked at.
    rest = of_class.sum(axis=0) - of_class
    number = (len(labels) - images)[:, None, None]
    others = np.divide(rest, number, out=np.full(rest.shape, np.nan), where=number > 0)
    return 1 - (unit * others[group]).sum(axis=2).mean(axis=1)
