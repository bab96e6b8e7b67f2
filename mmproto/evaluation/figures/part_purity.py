from collections.abc import Sequence
from typing import Any

import numpy as np

from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.figure import Estimate, Figure, Measure, Rows
from mmproto.evaluation.figures.part_peaks import SIDE, best_part_estimate, scaled_parts
from mmproto.evaluation.measures.chance_maps import other_of_class
from mmproto.evaluation.measures.part_hits import inside
from mmproto.evaluation.measures.part_purity import merge_sides, patch_boxes, top_images
from mmproto.evaluation.network_probe import NetworkProbe
from mmproto.models import ProtoPNet


class PartPurity(Measure):
    """Whether the ten patches that excite a prototype most show one and the same part.

    See :mod:`mmproto.evaluation.measures.part_purity`.

    Args:
        part_names: Names of the parts: left and right ones are merged.
    """

    name = 'purity'
    needs = 'parts'

    def begin(self, model: ProtoPNet, dataset: Any) -> None:
        """Note the names of the parts."""
        self.part_names = dataset.metainfo['part_names']

    def look(self, images: Sequence[ExplainedImage], network: NetworkProbe) -> list[dict[str, Any]]:
        """Keep of each image the scores and places of all prototypes, and where its parts are."""
        return [
            dict(
                parts=scaled_parts(image),
                scores=image.scores,
                cells=image.locations.astype(np.int16),
                grid=image.grid,
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

        image, prototype = top_images(scores)
        found = parts[image]
        visible = merge_sides(~np.isnan(found).any(axis=-1), self.part_names)

        def purity(places: np.ndarray) -> tuple[Estimate, np.ndarray]:
            boxes = patch_boxes(places[image, prototype], grid, SIDE)
            hit = merge_sides(inside(found, boxes), self.part_names)
            count = len(prototype_class)
            return best_part_estimate(hit, visible, image, prototype, count, len(rows))

        estimate, of_prototypes = purity(cells)
        return [
            Figure(
                name='part_purity',
                title='Part purity of the ten nearest patches',
                estimate=estimate,
                chance={
                    'another image': purity(cells[other])[0].value,
                    'the middle': purity(middle)[0].value,
                },
                of_prototypes=of_prototypes,
                meaning='Of the ten images where a prototype scores most, the share whose patch '
                'of 32 of 224 pixels holds its most frequent part. A part seen once counts as '
                'pure, and a patch between two parts holds none.',
            )
        ]
