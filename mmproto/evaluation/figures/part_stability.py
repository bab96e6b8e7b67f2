from collections.abc import Sequence
from typing import Any

import numpy as np

from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.figure import Estimate, Figure, Measure, Rows, interval
from mmproto.evaluation.figures.noise import SEEDS, outputs_under_noise
from mmproto.evaluation.figures.part_peaks import PartPairs, scaled_parts, upsampled_peaks
from mmproto.evaluation.measures.part_consistency import HALF_SIZE
from mmproto.evaluation.measures.part_stability import stability
from mmproto.evaluation.network_probe import NetworkProbe

RESAMPLES = 200  # each counts all pairs anew


class PartStability(Measure):
    """Whether a prototype points at the same parts when the image gets a little noise.

    See :mod:`mmproto.evaluation.measures.part_stability`. Where noise changes the predicted
    class, another explanation is right: such images do not count. Mean over three seeds.
    """

    name = 'stability'
    needs = 'parts'

    def look(self, images: Sequence[ExplainedImage], network: NetworkProbe) -> list[dict[str, Any]]:
        """Keep of each image where the prototypes of its class point, without and with noise."""
        rows: list[dict[str, Any]] = [
            dict(
                parts=scaled_parts(image),
                prototypes=np.array(image.own, int),
                peaks=upsampled_peaks(image.maps[image.own]),
                noisy=[],
                holds=[],
            )
            for image in images
        ]
        for outputs, holds in outputs_under_noise(images, network):
            for image, row, features, held in zip(images, rows, outputs.feature_map, holds):
                maps = network.similarity_maps(features)[image.own].cpu().numpy()
                row['noisy'].append(upsampled_peaks(maps))
                row['holds'].append(bool(held))
        return rows

    def figures(self, rows: Rows, prototype_class: np.ndarray) -> list[Figure]:
        """Return the mean stability of the prototypes over the seeds."""
        pairs, count = PartPairs.of_rows(rows), len(prototype_class)
        peaks = np.concatenate([row['peaks'] for row in rows])
        noisy = [np.concatenate([row['noisy'][seed] for row in rows]) for seed in range(SEEDS)]
        holds = np.array([row['holds'] for row in rows])[pairs.image]
        own = _Hits(pairs, peaks, noisy)
        elsewhere = _Hits(pairs, peaks[pairs.other], [one[pairs.other] for one in noisy])

        def of_prototypes(hits: _Hits, chosen: Any = slice(None)) -> np.ndarray:
            each = [
                stability(
                    hits.still[chosen], one[chosen], pairs.prototype[chosen], count, held[chosen]
                )
                for one, held in zip(hits.noisy, holds.T)
            ]
            return _mean(np.stack(each), axis=0)

        def mean(hits: _Hits, chosen: Any = slice(None)) -> float:
            return float(_mean(of_prototypes(hits, chosen), axis=0))

        ends = interval(lambda drawn: mean(own, pairs.drawn(drawn)), len(rows), RESAMPLES)
        return [
            Figure(
                name='part_stability',
                title='Part stability under noise',
                estimate=Estimate(mean(own), *ends),
                chance={'another image': mean(elsewhere)},
                of_prototypes=of_prototypes(own),
                meaning='In what share of the images noise leaves the parts in the box as they '
                'are. A box without any part stays one, so a prototype on the background, or one '
                'that always points at the middle, is stable: see cell stability as well.',
            )
        ]


class _Hits:
    """The parts in the boxes around places without and with noise, by seed."""

    def __init__(self, pairs: PartPairs, still: np.ndarray, noisy: Sequence[np.ndarray]) -> None:
        self.still = pairs.hits(still, HALF_SIZE)
        self.noisy = [pairs.hits(one, HALF_SIZE) for one in noisy]


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Return the mean of what is known, NaN where nothing is."""
    known = ~np.isnan(values)
    times = known.sum(axis=axis)
    sums = np.where(known, values, 0).sum(axis=axis)
    return np.divide(sums, times, out=np.full(np.shape(sums), np.nan), where=times > 0)
