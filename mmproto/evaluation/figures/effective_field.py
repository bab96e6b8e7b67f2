from collections.abc import Sequence
from typing import Any

import numpy as np

from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.figure import Figure, Measure, Rows, beside_chance
from mmproto.evaluation.network_probe import NetworkProbe
from mmproto.explanation.effective_field import share_in


class EffectiveField(Measure):
    """How much of what a cell depends on lies in the box that is shown of it.

    Of all prototypes of the predicted class, see
    :func:`mmproto.functional.effective_receptive_field`.
    """

    name = 'field'

    def look(self, images: Sequence[ExplainedImage], network: NetworkProbe) -> list[dict[str, Any]]:
        """Keep of each image the shares of the fields and of the image in the boxes (k, 2)."""
        rows = []
        for image in images:
            shares = np.empty((len(image.shown), 2))
            fields = network.fields(image.input, image.shown, image.locations[image.shown])
            for share, field, prototype in zip(shares, fields.cpu().numpy(), image.shown):
                box = image.box(network.model.head, prototype)
                share[:] = share_in(field, box), share_in(np.ones_like(field), box)
            rows.append(dict(prototypes=np.array(image.shown, int), shares=shares))
        return rows

    def figures(self, rows: Rows, prototype_class: np.ndarray) -> list[Figure]:
        """Return the mean share, beside the boxes' share of the image."""
        return [
            beside_chance(
                rows,
                [row['shares'].T for row in rows],
                "the box's share of the image",
                prototype_class,
                name='field_in_box',
                title='Effective receptive field in the box',
                meaning='How much of what moves the cell along the prototype lies in the box that '
                'is shown. It tells how much of what the cell saw the box shows, not whether the '
                'cell saw the right thing; and a large box holds more.',
            )
        ]
