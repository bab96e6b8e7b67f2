from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np

from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.figure import Estimate, Figure, Measure, Rows
from mmproto.evaluation.figures.part_peaks import SIDE, best_part_estimate, scaled_parts
from mmproto.evaluation.measures.chance_maps import other_of_class
from mmproto.evaluation.measures.part_hits import inside
from mmproto.evaluation.measures.part_purity import HighScores, merge_sides, patch_boxes, top_images
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
        self.high = HighScores(len(model.head.prototype_class))
        self._lock = Lock()  # several threads look

    def look(self, images: Sequence[ExplainedImage], network: NetworkProbe) -> list[dict[str, Any]]:
        """Keep of each image the places of all prototypes, the scores that may be highest."""
        rows = []
        for image in images:
            with self._lock:
                prototypes = np.flatnonzero(self.high.meet(image.scores))
            cells = np.ravel_multi_index(tuple(image.locations.T), image.grid)
            rows.append(
                dict(
                    parts=scaled_parts(image),
                    prototypes=prototypes.astype(np.int32),
                    scores=image.scores[prototypes],
                    # All of them, since another image's are needed: a byte each for most networks.
                    cells=cells.astype(np.min_scalar_type(np.prod(image.grid) - 1)),
                    grid=image.grid,
                )
            )
        return rows

    def figures(self, rows: Rows, prototype_class: np.ndarray) -> list[Figure]:
        """Return the mean purity of the prototypes."""
        parts = np.stack([row['parts'] for row in rows])
        cells = np.stack([row['cells'] for row in rows])
        other = other_of_class(np.array([row['label'] for row in rows]))
        grid = rows[0]['grid']
        count = len(prototype_class)

        kept = [len(row['prototypes']) for row in rows]
        image, prototype = top_images(
            np.concatenate([row['scores'] for row in rows]),
            np.repeat(np.arange(len(rows)), kept),
            np.concatenate([row['prototypes'] for row in rows]),
        )
        found = parts[image]
        visible = merge_sides(~np.isnan(found).any(axis=-1), self.part_names)
        middle = np.broadcast_to((np.array(grid) - 1) // 2, (len(image), 2))

        def places(images: np.ndarray) -> np.ndarray:
            return np.stack(np.unravel_index(cells[images, prototype], grid), axis=-1)

        def purity(at: np.ndarray) -> tuple[Estimate, np.ndarray]:
            boxes = patch_boxes(at, grid, SIDE)
            hit = merge_sides(inside(found, boxes), self.part_names)
            return best_part_estimate(hit, visible, image, prototype, count, len(rows))

        estimate, of_prototypes = purity(places(image))
        return [
            Figure(
                name='part_purity',
                title='Part purity of the ten nearest patches',
                estimate=estimate,
                chance={
                    'another image': purity(places(other[image]))[0].value,
                    'the middle': purity(middle)[0].value,
                },
                of_prototypes=of_prototypes,
                meaning='Of the ten images where a prototype scores most, the share whose patch '
                'of 32 of 224 pixels holds its most frequent part. A part seen once counts as '
                'pure, and a patch between two parts holds none.',
            )
        ]
