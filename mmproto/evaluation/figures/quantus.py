from collections.abc import Sequence
from typing import Any

import numpy as np

from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.figure import Figure, Measure, Rows, mean_estimate
from mmproto.evaluation.measures.quantus_localisation import quantus_localisation
from mmproto.evaluation.network_probe import NetworkProbe
from mmproto.models import ProtoPNet
from mmproto.utils.extras import need


class QuantusLocalisation(Measure):
    """Quantus' own measures of where maps lie, of the prototypes that are shown.

    Only where it is asked for: ``measures=['quantus']``. See
    :mod:`mmproto.evaluation.measures.quantus_localisation`.
    """

    name = 'quantus'
    needs = 'masks'

    def begin(self, model: ProtoPNet, dataset: Any) -> None:
        """Raise an InputError if Quantus is not installed."""
        need('measures', 'quantus')

    def look(self, images: Sequence[ExplainedImage], network: NetworkProbe) -> list[dict[str, Any]]:
        """Keep of each image the mean of each of Quantus' metrics over its prototypes."""
        rows: list[dict[str, Any]] = []
        for image in images:
            if not image.shown:
                rows.append({})
                continue
            maps = np.stack([image.activation(j) for j in image.shown])
            masks = np.broadcast_to(np.asarray(image.mask), maps.shape)
            found = quantus_localisation(maps, masks)
            rows.append({name: float(np.mean(values)) for name, values in found.items()})
        return rows

    def figures(self, rows: Rows, prototype_class: np.ndarray) -> list[Figure]:
        """Return one figure for each of Quantus' metrics."""
        names = next((list(row) for row in rows if len(row) > 2), [])
        names = [name for name in names if name not in ('number', 'label')]
        return [
            Figure(
                name=f'quantus_{name.lower()}',
                title=f'Quantus: {name}',
                estimate=mean_estimate([row.get(name, np.nan) for row in rows]),
                meaning="As Quantus defines it, of upsampled maps and the object's mask.",
            )
            for name in names
        ]
