"""A figure with what chance gives and how far it can be relied on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.network_probe import NetworkProbe
from mmproto.models import ProtoPNet

RESAMPLES = 1000
CONFIDENCE = 95  # percent

# What was kept of every image, in the order of the data set.
Rows = Sequence[Mapping[str, Any]]


class Estimate(NamedTuple):
    """A figure of a sample of images.

    Attributes:
        value: The figure; NaN where nothing could be measured.
        low: Lower end of its 95 % confidence interval over the images; NaN for a figure of the
            model alone, which no image makes uncertain.
        high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Figure:
    """One figure of a model's explanations.

    Attributes:
        name: Its short name, such as 'part_consistency'.
        title: What it is called for people.
        estimate: The figure and its confidence interval.
        chance: What means something else gives, by what that is, such as 'centre of the image'.
        meaning: One sentence: what it means, and when it misleads.
        higher_is_better: False for a figure that should be small.
        decimals: How many are shown.
        of_prototypes: The figure of each prototype (P,), NaN where it has none; None if it is not
            one of prototypes.
    """

    name: str
    title: str
    estimate: Estimate
    meaning: str
    chance: Mapping[str, float] = field(default_factory=dict)
    higher_is_better: bool = True
    decimals: int = 3
    of_prototypes: np.ndarray | None = field(default=None, repr=False, compare=False)


class Measure:
    """What of a model's explanations is measured, image by image.

    Attributes:
        name: What it is asked for by.
        needs: What a data set must have: '', 'parts', 'masks', 'interventions' or 'part_sets'.
    """

    name: ClassVar[str]
    needs: ClassVar[str] = ''

    def begin(self, model: ProtoPNet, dataset: Any) -> None:
        """Hear of what model and of whose images it will be."""

    def look(self, images: Sequence[ExplainedImage], network: NetworkProbe) -> list[dict[str, Any]]:
        """Return what is to be kept of each image, small and without tensors."""
        raise NotImplementedError

    def figures(self, rows: Rows, prototype_class: np.ndarray) -> list[Figure]:
        """Sum up what was kept of all images, in the order of the data set.

        Args:
            rows: What :meth:`look` returned, and of each image its 'label'.
            prototype_class: Class of each prototype (P,).
        """
        raise NotImplementedError


def interval(
    statistic: Callable[[np.ndarray], float], images: int, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Return the percentile bootstrap's confidence interval (Efron, 1979) over the images.

    Args:
        statistic: The figure, of indices of images drawn with replacement.
        images: How many images there are.
        resamples: How often they are drawn.
    """
    rng = np.random.default_rng(0)
    drawn = [statistic(rng.integers(images, size=images)) for _ in range(resamples)]
    found = np.array(drawn)[~np.isnan(drawn)]
    if not len(found):
        return float('nan'), float('nan')
    ends = np.percentile(found, [(100 - CONFIDENCE) / 2, (100 + CONFIDENCE) / 2])
    return float(ends[0]), float(ends[1])


def mean_estimate(values: Sequence[float] | np.ndarray) -> Estimate:
    """Return the mean over images; NaN counts for nothing."""
    known = np.asarray(values, float)
    known = known[~np.isnan(known)]
    if not len(known):
        return Estimate(float('nan'), float('nan'), float('nan'))
    ends = interval(lambda drawn: float(known[drawn].mean()), len(known))
    return Estimate(float(known.mean()), *ends)


def mean_of_prototypes(pairs: Sequence[tuple[np.ndarray, np.ndarray]], count: int) -> np.ndarray:
    """Return the mean of each prototype (P,) over (prototypes, values) of images, NaN if none."""
    prototypes = np.concatenate([np.asarray(one, int) for one, _ in pairs])
    values = np.concatenate([np.asarray(one, float) for _, one in pairs])
    known = ~np.isnan(values)
    sums = np.bincount(prototypes[known], values[known], count)
    times = np.bincount(prototypes[known], minlength=count)
    return np.divide(sums, times, out=np.full(count, np.nan), where=times > 0)


def known_mean(values: np.ndarray) -> float:
    """Return the mean of what is not NaN, NaN if all is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float('nan')


def beside_chance(
    rows: Rows,
    values: Sequence[Sequence[np.ndarray]],
    chance: str,
    prototype_class: np.ndarray,
    **texts: Any,
) -> Figure:
    """Return the mean of what the shown prototypes of images have, beside what chance gives.

    Args:
        rows: What was kept of every image; of these 'prototypes' (k,) is looked at.
        values: Of every image what its prototypes have (k,), and what chance gives (k,).
        chance: What gives the second.
        prototype_class: Class of each prototype (P,).
        **texts: Name, title and meaning of the :class:`Figure`.
    """
    pairs = [(row['prototypes'], shown) for row, (shown, _) in zip(rows, values)]
    return Figure(
        estimate=mean_estimate([known_mean(shown) for shown, _ in values]),
        chance={chance: mean_estimate([known_mean(given) for _, given in values]).value},
        of_prototypes=mean_of_prototypes(pairs, len(prototype_class)),
        **texts,
    )
