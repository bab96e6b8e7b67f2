from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.figure import (
    Figure,
    Measure,
    Rows,
    known_mean,
    mean_estimate,
    mean_of_prototypes,
)
from mmproto.evaluation.measures.camera_change import another_camera
from mmproto.evaluation.measures.continuity import peak_shift, score_drop
from mmproto.evaluation.network_probe import NetworkProbe
from mmproto.evaluation.seen_pixels import as_given, as_seen


class CameraChange(Measure):
    """What stays of accuracy and explanation when the same scene comes by another camera.

    QuanProto's continuity, for the prototypes that are shown, see
    :func:`mmproto.evaluation.measures.camera_change.another_camera` and
    :mod:`mmproto.evaluation.measures.continuity`.
    """

    name = 'camera'

    def look(self, images: Sequence[ExplainedImage], network: NetworkProbe) -> list[dict[str, Any]]:
        """Keep of each image whether it is right before and after, and how its prototypes move."""
        preprocess = network.model.data_preprocessor
        changed = [_changed(image, preprocess) for image in images]
        outputs = network.outputs(preprocess({'inputs': changed}, training=False)['inputs'])
        rows = []
        for image, features, scores, logits in zip(
            images, outputs.feature_map, outputs.scores, outputs.logits
        ):
            before = image.maps[image.shown]
            after = network.similarity_maps(features)[image.shown].cpu().numpy()
            old, new = image.scores[image.shown], scores.cpu().numpy()[image.shown]
            rows.append(
                dict(
                    right=image.predicted == image.label,
                    right_after=int(logits.argmax()) == image.label,
                    prototypes=np.array(image.shown, int),
                    shift=peak_shift(before, after),
                    drop=np.abs(score_drop(old, new)),
                )
            )
        return rows

    def figures(self, rows: Rows, prototype_class: np.ndarray) -> list[Figure]:
        """Return the accuracy after the change, and how far places and scores move."""
        shifts = [(row['prototypes'], row['shift']) for row in rows]
        drops = [(row['prototypes'], row['drop']) for row in rows]
        return [
            Figure(
                name='accuracy_of_another_camera',
                title='Accuracy by another camera',
                estimate=mean_estimate([row['right_after'] for row in rows]),
                chance={'without': float(np.mean([row['right'] for row in rows]))},
                meaning='What is left of the accuracy after a change of hue, contrast, noise, blur '
                'and compression that changes no part: far less, tints decide and not parts. Where '
                'colour is what tells classes, it may.',
            ),
            Figure(
                name='place_by_another_camera',
                title='Cells that a place moves by another camera',
                estimate=mean_estimate([known_mean(row['shift']) for row in rows]),
                higher_is_better=False,
                of_prototypes=mean_of_prototypes(shifts, len(prototype_class)),
                meaning='How far the cell that scores most moves, in cells down and across. A '
                'prototype that always marks the same cell does not move either.',
            ),
            Figure(
                name='score_by_another_camera',
                title='Change of a score by another camera',
                estimate=mean_estimate([known_mean(row['drop']) for row in rows]),
                higher_is_better=False,
                of_prototypes=mean_of_prototypes(drops, len(prototype_class)),
                meaning='By what fraction of it a score rises or falls. Scores that never are near '
                'zero change little.',
            ),
        ]


def _changed(image: ExplainedImage, preprocessor: Any) -> Tensor:
    seen = as_seen(image.pixels, preprocessor)
    return as_given(another_camera(seen, np.random.default_rng(image.number)), preprocessor)
