from collections.abc import Sequence
from typing import Any

import numpy as np

from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.figure import Estimate, Figure, Measure, Rows, mean_estimate
from mmproto.evaluation.measures.continuity import peak_shift
from mmproto.evaluation.measures.contrastivity import between_pairs, vector_distance
from mmproto.evaluation.measures.explanation_size import (
    copies,
    global_size,
    local_size,
    num_duplicates,
    sparsity,
)
from mmproto.evaluation.network_probe import NetworkProbe
from mmproto.models import ProtoPNet

MOST = 5  # prototypes of an image that are compared with each other


class ExplanationSize(Measure):
    """How much there is to look at, and how much of it says the same twice.

    QuanProto's compactness and contrastivity, see
    :mod:`mmproto.evaluation.measures.explanation_size` and
    :mod:`mmproto.evaluation.measures.contrastivity`; the latter for the prototypes of the
    predicted class that score most.
    """

    name = 'size'

    def begin(self, model: ProtoPNet, dataset: Any) -> None:
        """Look at the prototypes and the last layer, which are the same for all images."""
        head = model.head
        self.weight = head.last_layer_weight.cpu().numpy()
        self.vectors = head.prototype_vectors.detach().flatten(1).cpu().numpy()

    def look(self, images: Sequence[ExplainedImage], network: NetworkProbe) -> list[dict[str, Any]]:
        """Keep of each image how many prototypes are active, and how those shown differ."""
        return [
            dict(
                active=int(local_size(image.scores[None])[0]),
                **self._contrast(image.shown[:MOST], image),
            )
            for image in images
        ]

    def _contrast(self, shown: list[int], image: ExplainedImage) -> dict[str, float]:
        if len(shown) < 2:
            return dict(apart=float('nan'), differ=float('nan'))
        maps = image.maps[shown][None]
        return dict(
            apart=float(between_pairs(peak_shift, maps)[0]),
            differ=float(between_pairs(vector_distance, self.vectors[shown][None])[0]),
        )

    def figures(self, rows: Rows, prototype_class: np.ndarray) -> list[Figure]:
        """Return size, sparsity, duplicates, and how the prototypes of an image differ."""
        return [
            _exact(
                'prototypes_used', 'Prototypes that speak for a class', global_size(self.weight),
                'How many there are to know of the whole model.', decimals=0,
            ),
            Figure(
                name='active_prototypes',
                title='Prototypes that are active in an image',
                estimate=mean_estimate([row['active'] for row in rows]),
                higher_is_better=False,
                decimals=1,
                meaning='Those that score more than a tenth of the highest. A similarity that is '
                'never near zero makes all of them active.',
            ),
            _exact(
                'last_layer_sparsity', 'Connections that are zero', sparsity(self.weight),
                'The share of the last layer that nobody has to look at.', higher_is_better=True,
            ),
            _exact(
                'duplicates', 'Duplicates', num_duplicates(self.vectors, prototype_class),
                'Prototypes that are the same patch as another of their class.', decimals=0,
                of_prototypes=_known(copies(self.vectors, prototype_class)),
            ),
            Figure(
                name='places_apart',
                title='Cells between the places of an image',
                estimate=mean_estimate([row['apart'] for row in rows]),
                meaning='How far apart the prototypes of the predicted class look, in cells down '
                'and across: near zero, all of them show one place. Far is not better by itself.',
            ),
            Figure(
                name='prototypes_differ',
                title='Cosine distance between the prototypes of an image',
                estimate=mean_estimate([row['differ'] for row in rows]),
                meaning='How much they differ as the network sees them.',
            ),
        ]  # fmt: skip


def _exact(
    name: str, title: str, value: float, meaning: str, higher_is_better: bool = False, **more: Any
) -> Figure:
    """Return a figure of the model alone, which no image makes uncertain."""
    exact = Estimate(float(value), float('nan'), float('nan'))
    return Figure(name, title, exact, meaning, higher_is_better=higher_is_better, **more)


def _known(numbers: np.ndarray) -> np.ndarray:
    """Return NaN for 0: a prototype without a copy is not among the worst."""
    return np.where(numbers > 0, numbers, np.nan)
