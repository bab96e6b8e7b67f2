from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.figure import Estimate, Figure, Measure, Rows
from mmproto.evaluation.figures.part_peaks import (
    SIZE,
    PartPairs,
    best_part_estimate,
    scaled_parts,
    upsampled_peaks,
)
from mmproto.evaluation.measures.part_consistency import HALF_SIZE, consistency
from mmproto.evaluation.network_probe import NetworkProbe


class PartConsistency(Measure):
    """Whether a prototype points at the same part in all images of its class.

    See :mod:`mmproto.evaluation.measures.part_consistency`. The published box, 73 of 224 pixels,
    holds several parts; so the cell that scored is asked as well.
    """

    name = 'consistency'
    needs = 'parts'

    def look(self, images: Sequence[ExplainedImage], network: NetworkProbe) -> list[dict[str, Any]]:
        """Keep of each image where the prototypes of its class point, and where its parts are."""
        return [
            dict(
                parts=scaled_parts(image),
                prototypes=np.array(image.own, int),
                peaks=upsampled_peaks(image.maps[image.own]),
                cells=image.locations[image.own].reshape(-1, 2),
                grid=image.grid,
            )
            for image in images
        ]

    def figures(self, rows: Rows, prototype_class: np.ndarray) -> list[Figure]:
        """Return the mean best rate and the share above 0.8, at the published box and one cell."""
        pairs, count = PartPairs.of_rows(rows), len(prototype_class)
        peaks = np.concatenate([row['peaks'] for row in rows])
        cells = np.concatenate([row['cells'] for row in rows])
        grid = rows[0]['grid']

        def hits(places: np.ndarray, half_size: int, grid: tuple[int, int]) -> dict:
            # Of the one cell there is no middle in a grid of even sides: one of the four.
            return {
                '': pairs.hits(places, half_size, grid),
                'another image': pairs.hits(places[pairs.other], half_size, grid),
                'the middle': pairs.hits(pairs.centre(grid), half_size, grid),
            }

        box, cell = hits(peaks, HALF_SIZE, SIZE), hits(cells, 0, grid)
        return [
            _figure(
                pairs, box, count, 'part_consistency', 'Part consistency',
                'How often, on average, a prototype points at the part of the bird that it points '
                'at most, within 36 of 224 pixels: a box of a tenth of the image, which the middle '
                'fills with parts by itself.',
            ),
            _figure(
                pairs, box, count, 'consistent_prototypes', 'Consistent prototypes',
                'The share of prototypes that do so in 80 % of the images.', consistency,
            ),
            _figure(
                pairs, cell, count, 'part_consistency_of_cell', 'Part consistency, at the cell',
                'The same where the part has to lie in the very cell that scored: a stricter '
                'figure, which large cells and cells between two parts make small.',
            ),
        ]  # fmt: skip


def _figure(
    pairs: PartPairs,
    hits: dict[str, np.ndarray],
    count: int,
    name: str,
    title: str,
    meaning: str,
    of_rates: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> Figure:
    """Return the mean over the prototypes of their best rates, or of a function of those."""

    def estimate(hit: np.ndarray) -> tuple[Estimate, np.ndarray]:
        return best_part_estimate(
            hit, pairs.visible, pairs.image, pairs.prototype, count, len(pairs.label), of_rates
        )

    ours, of_prototypes = estimate(hits[''])
    return Figure(
        name=name,
        title=title,
        estimate=ours,
        chance={rival: estimate(hit)[0].value for rival, hit in hits.items() if rival},
        of_prototypes=of_prototypes,
        meaning=meaning,
    )
