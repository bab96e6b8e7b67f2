"""Where prototypes point, beside the parts of the image, in the protocol of the part measures."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.figure import Estimate, Rows, interval, known_mean
from mmproto.evaluation.measures.chance_maps import other_of_class
from mmproto.evaluation.measures.part_consistency import best_part_rate, rates_by_prototype
from mmproto.evaluation.measures.part_hits import boxes_around, inside, peaks
from mmproto.explanation.high_activation import upsample

SIDE = 224  # of the image that maps are upsampled to
SIZE = (SIDE, SIDE)


def scaled_parts(image: ExplainedImage) -> np.ndarray:
    """Return y and x of the parts (num_parts, 2) in an image of 224 x 224, NaN for hidden ones."""
    return np.asarray(image.parts) * (SIDE / np.array(image.size))


def upsampled_peaks(maps: Iterable[np.ndarray]) -> np.ndarray:
    """Return rows and columns (M, 2) where maps (H', W'), upsampled to 224 x 224, are greatest."""
    return peaks(upsample(one, SIZE) for one in maps)


@dataclass(frozen=True)
class PartPairs:
    """Pairs of a prototype and an image of its class, for all images.

    Attributes:
        parts: y and x of the parts of each image (N, num_parts, 2).
        label: Class of each image (N,).
        image: Image of each of M pairs (M,).
        prototype: Prototype of each pair (M,).
        other: The pair of the same prototype with another image of the class (M,).
    """

    parts: np.ndarray
    label: np.ndarray
    image: np.ndarray
    prototype: np.ndarray
    other: np.ndarray

    @classmethod
    def of_rows(cls, rows: Rows) -> 'PartPairs':
        """Pair up rows that have 'parts' and 'prototypes'."""
        label = np.array([row['label'] for row in rows])
        counts = [len(row['prototypes']) for row in rows]
        first = np.cumsum([0, *counts[:-1]])
        image = np.repeat(np.arange(len(rows)), counts)
        other = other_of_class(label)
        return cls(
            parts=np.stack([row['parts'] for row in rows]),
            label=label,
            image=image,
            prototype=np.concatenate([row['prototypes'] for row in rows]).astype(int),
            # Images of a class have the same prototypes, in the same order.
            other=first[other[image]] + np.arange(len(image)) - first[image],
        )

    def hits(self, places: np.ndarray, half_size: int, grid: Any = SIZE) -> np.ndarray:
        """Return which parts (M, num_parts) lie in boxes around places (M, 2) of a grid."""
        boxes = boxes_around(places, half_size, grid)
        return inside(self.parts[self.image] * (np.array(grid) / SIDE), boxes)

    def centre(self, grid: tuple[int, int] = SIZE) -> np.ndarray:
        """Return the middle of the grid for every pair (M, 2)."""
        return np.broadcast_to((np.array(grid) - 1) // 2, (len(self.image), 2))

    @property
    def visible(self) -> np.ndarray:
        """Which parts are visible in the image of each pair (M, num_parts)."""
        return ~np.isnan(self.parts[self.image]).any(axis=-1)

    def drawn(self, images: np.ndarray) -> np.ndarray:
        """Return the pairs of images drawn with replacement, each as often as its image."""
        times = np.bincount(images, minlength=len(self.label))
        return np.repeat(np.arange(len(self.image)), times[self.image])


def best_part_estimate(
    hit: np.ndarray,
    visible: np.ndarray,
    image: np.ndarray,
    prototype: np.ndarray,
    count: int,
    images: int,
    of_rates: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> tuple[Estimate, np.ndarray]:
    """Average over the prototypes how often each hits the part that it hits most.

    The interval is that of the part which is best on all images: were it chosen anew among the
    images drawn, the greatest of several rates would always be too great.

    Args:
        hit: Which parts each of M pairs hits, bool (M, num_parts).
        visible: Which are visible, bool (M, num_parts).
        image: Image of each pair (M,).
        prototype: Prototype of each pair (M,).
        count: How many prototypes there are.
        images: How many images there are.
        of_rates: What is averaged in place of the rates (P,).

    Returns:
        The mean, and what it is the mean of, for each prototype (P,), NaN where nothing is known.
    """
    rates = rates_by_prototype(hit, visible, prototype, count)
    of_prototypes = of_rates(best_part_rate(rates))
    best = np.where(np.isnan(rates), -1, rates).argmax(axis=1)[prototype]
    pairs = np.arange(len(prototype))
    counted = visible[pairs, best].astype(float)
    hits = (hit & visible)[pairs, best].astype(float)

    def mean(drawn: np.ndarray) -> float:
        times = np.bincount(drawn, minlength=images)[image]
        sums = np.bincount(prototype, hits * times, count)
        numbers = np.bincount(prototype, counted * times, count)
        found = np.divide(sums, numbers, out=np.full(count, np.nan), where=numbers > 0)
        return known_mean(of_rates(found))

    return Estimate(known_mean(of_prototypes), *interval(mean, images)), of_prototypes
