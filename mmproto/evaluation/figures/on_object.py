from collections.abc import Sequence
from typing import Any

import numpy as np

from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.figure import (
    Figure,
    Measure,
    Rows,
    known_mean,
    mean_estimate,
    mean_of_prototypes,
)
from mmproto.evaluation.measures.chance_maps import centre_map
from mmproto.evaluation.measures.on_object import mask_relevance, object_share
from mmproto.evaluation.network_probe import NetworkProbe
from mmproto.explanation.high_activation import upsample

OBJECT_SHARE = 'its share of the image'


class OnObject(Measure):
    """Whether what the predicted class's prototypes mark lies on the object.

    The share of the marked 10 % of the pixels that is on the segmentation, see
    :func:`mmproto.evaluation.measures.on_object.mask_relevance`.
    """

    name = 'object'
    needs = 'masks'

    def look(self, images: Sequence[ExplainedImage], network: NetworkProbe) -> list[dict[str, Any]]:
        """Keep of each image the shares of its prototypes, the object's, and the middle's."""
        rows = []
        for image in images:
            mask = np.asarray(image.mask)
            grid = image.grid
            middle = upsample(centre_map(grid).astype(np.float32), image.size)
            marked = np.stack([middle, *(image.activation(j) for j in image.shown)])
            shares = mask_relevance(marked, mask)
            rows.append(
                dict(
                    prototypes=np.array(image.shown, int),
                    on_object=shares[1:],
                    middle=shares[0],
                    object=object_share(mask),
                )
            )
        return rows

    def figures(self, rows: Rows, prototype_class: np.ndarray) -> list[Figure]:
        """Return the mean share on the object, beside what the object covers and the middle."""
        shares = [known_mean(row['on_object']) for row in rows]
        pairs = [(row['prototypes'], row['on_object']) for row in rows]
        return [
            Figure(
                name='on_object',
                title='On the object',
                estimate=mean_estimate(shares),
                chance={
                    OBJECT_SHARE: mean_estimate([row['object'] for row in rows]).value,
                    'the middle': mean_estimate([row['middle'] for row in rows]).value,
                },
                of_prototypes=mean_of_prototypes(pairs, len(prototype_class)),
                meaning='The share of the tenth of the image that a prototype marks most which '
                'lies on the object. Objects are mostly in the middle, so compare with that; and '
                'a mark on the object is not yet on a part that matters.',
            )
        ]
