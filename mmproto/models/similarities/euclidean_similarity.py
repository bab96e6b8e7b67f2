import torch
from torch import Tensor

from mmproto.functional import pairwise_squared_distance, squared_distance
from mmproto.models.similarities.similarity import Metric, Similarity


class EuclideanSimilarity(Similarity):
    """Base of the similarities whose score follows from d = |z - p|^2 (section 2.1)."""

    metric = Metric(of_distance=torch.sqrt, to_distance=torch.square)

    def distance(self, patches: Tensor, prototypes: Tensor) -> Tensor:
        """See :func:`mmproto.functional.squared_distance`."""
        return squared_distance(patches, prototypes)

    def pairwise_distance(self, patches: Tensor, prototypes: Tensor) -> Tensor:
        """See :func:`mmproto.functional.pairwise_squared_distance`."""
        return pairwise_squared_distance(patches, prototypes)
