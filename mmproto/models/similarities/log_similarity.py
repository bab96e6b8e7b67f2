from mmpretrain.registry import MODELS
from torch import Tensor

from mmproto.functional import EPSILON, log_similarity
from mmproto.models.similarities.euclidean_similarity import EuclideanSimilarity


@MODELS.register_module()
class LogSimilarity(EuclideanSimilarity):
    """The paper's similarity, ``log((d + 1) / (d + epsilon))`` of d = |z - p|^2 (section 2.1).

    .. code:: python

        head=dict(type='ProtoPNetHead', similarity=dict(type='LogSimilarity', epsilon=1e-4), ...)

    Args:
        epsilon: The small constant; ``log(1 / epsilon)`` is the highest score.
    """

    def __init__(self, epsilon: float = EPSILON) -> None:
        super().__init__()
        self.epsilon = epsilon

    def score(
        self, distances: Tensor, labels: Tensor | None = None, prototype_class: Tensor | None = None
    ) -> Tensor:
        """See :func:`mmproto.functional.log_similarity`."""
        return log_similarity(distances, self.epsilon)
