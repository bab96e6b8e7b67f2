from mmpretrain.registry import MODELS
from torch import Tensor

from mmproto.functional import pairwise_squared_distance, squared_distance
from mmproto.models.similarities.similarity import Similarity


@MODELS.register_module()
class LinearSimilarity(Similarity):
    """The reference implementation's other similarity, ``-d`` of d = |z - p|^2.

    .. code:: python

        head=dict(type='ProtoPNetHead', similarity=dict(type='LinearSimilarity'), ...)

    The reference does not train the last layer with it after a push.
    """

    tunes_last_layer = False

    def distance(self, patches: Tensor, prototypes: Tensor) -> Tensor:
        """See :func:`mmproto.functional.squared_distance`."""
        return squared_distance(patches, prototypes)

    def pairwise_distance(self, patches: Tensor, prototypes: Tensor) -> Tensor:
        """See :func:`mmproto.functional.pairwise_squared_distance`."""
        return pairwise_squared_distance(patches, prototypes)

    def score(
        self, distances: Tensor, labels: Tensor | None = None, prototype_class: Tensor | None = None
    ) -> Tensor:
        """Return the distance, negated."""
        return -distances
