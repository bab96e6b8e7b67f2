from mmpretrain.registry import MODELS
from torch import Tensor

from mmproto.models.similarities.euclidean_similarity import EuclideanSimilarity


@MODELS.register_module()
class LinearSimilarity(EuclideanSimilarity):
    """The reference implementation's other similarity, ``-d`` of d = |z - p|^2.

    .. code:: python

        head=dict(type='ProtoPNetHead', similarity=dict(type='LinearSimilarity'), ...)

    The reference does not train the last layer with it after a push.
    """

    tunes_last_layer = False

    def score(
        self, distances: Tensor, labels: Tensor | None = None, prototype_class: Tensor | None = None
    ) -> Tensor:
        """Return the distance, negated."""
        return -distances
