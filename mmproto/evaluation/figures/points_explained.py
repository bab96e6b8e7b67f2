from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.figure import Figure, Measure, Rows, mean_estimate
from mmproto.evaluation.network_probe import NetworkProbe
from mmproto.functional import own_class_points


class PointsExplained(Measure):
    """How much of the predicted class's points its own prototypes score.

    What an explanation shows is the points of the class's own prototypes; the rest speaks by
    what an image does not look like. The fraction is of absolute points, see
    :func:`mmproto.functional.own_class_points`.
    """

    name = 'points'

    def look(self, images: Sequence[ExplainedImage], network: NetworkProbe) -> list[dict[str, Any]]:
        """Keep of each image the fraction, and whether own points alone are right."""
        head = network.model.head
        scores = torch.from_numpy(np.stack([image.scores for image in images]))
        points, fraction = own_class_points(
            scores.double(),
            head.last_layer_weight.cpu().double(),
            head.prototype_class.cpu(),
        )
        return [
            dict(
                fraction=float(fraction[row, image.predicted]),
                right=image.predicted == image.label,
                right_alone=int(points[row].argmax()) == image.label,
            )
            for row, image in enumerate(images)
        ]

    def figures(self, rows: Rows, prototype_class: np.ndarray) -> list[Figure]:
        """Return the mean fraction, and the accuracy of own points alone beside the model's."""
        return [
            Figure(
                name='points_explained',
                title='Points explained',
                estimate=mean_estimate([row['fraction'] for row in rows]),
                meaning="The share of the predicted class's points that its own prototypes score: "
                'what is not in it, no explanation shows. It says nothing of where they look.',
            ),
            Figure(
                name='accuracy_of_own_points',
                title='Accuracy of own points alone',
                estimate=mean_estimate([row['right_alone'] for row in rows]),
                chance={'the whole model': float(np.mean([row['right'] for row in rows]))},
                meaning='How often the class is right whose own prototypes score most: far below '
                "the model's accuracy, what is shown does not decide.",
            ),
        ]
