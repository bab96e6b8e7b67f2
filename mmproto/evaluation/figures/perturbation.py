from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from torch import Tensor

from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.figure import Figure, Measure, Rows, mean_estimate, mean_of_prototypes
from mmproto.evaluation.measures.on_object import best_cell
from mmproto.evaluation.measures.perturbation import blend, perturbations, relative_drop
from mmproto.evaluation.measures.unit_range import unit_range
from mmproto.evaluation.network_probe import NetworkProbe
from mmproto.evaluation.seen_pixels import as_given, as_seen


class Perturbation(Measure):
    """How far a score drops when colours or shapes change where it looks, and where it does not.

    CaBRNet's nine perturbations of the network's input, for the prototype of the predicted class
    that scores most, see :mod:`mmproto.evaluation.measures.perturbation`. Images of one channel
    have no colours to change, and are left out.
    """

    name = 'perturbation'

    def look(self, images: Sequence[ExplainedImage], network: NetworkProbe) -> list[dict[str, Any]]:
        """Keep of each image the mean drop inside and outside of the prototype's best cell."""
        preprocess = network.model.data_preprocessor
        rows: list[dict[str, Any]] = []
        for image in images:
            if not image.shown or image.pixels.shape[0] != 3:
                rows.append(dict(prototypes=np.empty(0, int), drops=np.empty((0, 2))))
                continue
            prototype = image.shown[0]
            cell = best_cell(image.maps[prototype])
            size = image.size[::-1]
            share = unit_range(cv2.resize(cell, size, interpolation=cv2.INTER_CUBIC))
            changed = _perturbed(image, preprocess, share)
            inputs = preprocess({'inputs': changed}, training=False)['inputs']
            row, column = image.locations[prototype]
            features = network.outputs(inputs).feature_map
            after = np.array(
                [float(network.similarity_maps(one)[prototype, row, column]) for one in features]
            )
            drops = relative_drop(image.scores[prototype], after).reshape(2, -1).mean(axis=1)
            rows.append(dict(prototypes=np.array([prototype]), drops=drops[None]))
        return rows

    def figures(self, rows: Rows, prototype_class: np.ndarray) -> list[Figure]:
        """Return the mean drop inside, beside that outside."""
        drops = np.concatenate([row['drops'] for row in rows])
        pairs = [(row['prototypes'], row['drops'][:, 0]) for row in rows]
        return [
            Figure(
                name='perturbation',
                title='Drop when the cell is perturbed',
                estimate=mean_estimate(drops[:, 0]),
                chance={'outside of it': mean_estimate(drops[:, 1]).value},
                of_prototypes=mean_of_prototypes(pairs, len(prototype_class)),
                meaning='Mean over nine changes of light, colour, sharpness and shape. A map that '
                'is right loses more inside; outside there is more to change.',
            )
        ]


def _perturbed(image: ExplainedImage, preprocessor: Any, share: np.ndarray) -> list[Tensor]:
    """Return the image perturbed in every way inside of a map, and then outside."""
    seen = as_seen(image.pixels, preprocessor)
    perturbed = perturbations(seen, share).values()
    return [
        as_given(blend(one, seen, where), preprocessor)
        for where in (share, 1 - share)
        for one in perturbed
    ]
