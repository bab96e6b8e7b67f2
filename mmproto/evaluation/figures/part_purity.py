from collections.abc import Sequence
from typing import Any

import numpy as np

from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.figure import Estimate, Figure, Measure, Rows, interval
from mmproto.evaluation.figures.part_peaks import SIDE, scaled_parts
from mmproto.evaluation.measures.chance_maps import other_of_class
from mmproto.evaluation.measures.part_hits import inside
from mmproto.evaluation.measures.part_purity import part_purity, patch_boxes, top_images
from mmproto.evaluation.network_probe import NetworkProbe

RESAMPLES = 200  # each ranks all images anew


class PartPurity(Measure):
    """Whether the ten patches that excite a prototype most show one and the same part.

    See :mod:`mmproto.evaluation.measures.part_purity`.

    Args:
        part_names: Names of the parts: left and right ones are merged.
    """

    name = 'purity'
    needs = 'parts'

    def begin(self, dataset: Any) -> None:
        """Note the names of the parts."""
        self.part_names = dataset.metainfo['part_names']

    def look(self, images: Sequence[ExplainedImage], network: NetworkProbe) -> list[dict[str, Any]]:
        """Keep of each image the scores and places of all prototypes, and where its parts are."""
        return [
            dict(
                parts=scaled_parts(image),
                scores=image.scores,
                cells=image.locations.astype(np.int16),
                grid=next(iter(image.maps.values())).shape,
            )
            for image in images
        ]

    def figures(self, rows: Rows, prototype_class: np.ndarray) -> list[Figure]:
        """Return the mean purity of the prototypes."""
        parts, scores, cells = (
            np.stack([row[name] for row in rows]) for name in ('parts', 'scores', 'cells')
        )
        other = other_of_class(np.array([row['label'] for row in rows]))
        grid = rows[0]['grid']
        middle = np.broadcast_to((np.array(grid) - 1) // 2, cells.shape)

        def purity(places: np.ndarray, drawn: Any = slice(None)) -> np.ndarray:
            image, prototype = top_images(scores[drawn])
            found = parts[drawn][image]
            hit = inside(found, patch_boxes(places[drawn][image, prototype], grid, SIDE))
            visible = ~np.isnan(found).any(axis=-1)
            return part_purity(hit, visible, prototype, len(prototype_class), self.part_names)

        ends = interval(lambda drawn: _mean(purity(cells, drawn)), len(rows), RESAMPLES)
        return [
            Figure(
                name='part_purity',
                title='Part purity of the ten nearest patches',
                estimate=Estimate(_mean(purity(cells)), *ends),
                chance={
                    'another image': _mean(purity(cells[other])),
                    'the middle': _mean(purity(middle)),
                },
                of_prototypes=purity(cells),
                meaning='Of the ten images where a prototype scores most, the share whose patch '
                'of 32 of 224 pixels holds its most frequent part. A part seen once counts as '
                'pure, and a patch between two parts holds none.',
            )
        ]


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if not np.isnan(values).all() else float('nan')
