import torch
from mmpretrain.registry import MODELS
from torch import Tensor

from mmproto.errors import InputError
from mmproto.functional import cosine_distance, pairwise_cosine_distance, unit_length
from mmproto.models.similarities.similarity import Metric, Similarity


def _chord(distances: Tensor) -> Tensor:
    """Distance |z - p| of unit vectors whose cosine distance is that."""
    return (2 * distances).sqrt()


def _of_chord(chord: Tensor) -> Tensor:
    return chord.square() / 2


@MODELS.register_module()
class CosineSimilarity(Similarity):
    """The cosine of the angle between patch and prototype, times a scale.

    As in TesNet (Wang et al., 2021), Deformable ProtoPNet (Donnelly et al., 2022) and later
    prototype networks. Prototypes have unit length after every step, patches are brought to it;
    a prototype of h x w cells has it as a whole.

    .. code:: python

        head=dict(type='ProtoPNetHead', similarity=dict(type='CosineSimilarity', scale=10), ...)

    Args:
        scale: What a prototype scores on itself. The logits of scores from -1 to 1 could not be
            told apart. It is a constant: no stage trains it, and weights that one stage has
            learnt fit the next.

    Raises:
        InputError: If the scale is not positive.
    """

    metric = Metric(of_distance=_chord, to_distance=_of_chord)

    def __init__(self, scale: float = 10.0) -> None:
        super().__init__()
        if not scale > 0:
            raise InputError(f'model.head.similarity.scale={scale}: give a positive number')
        self.scale = scale

    def embed(self, patches: Tensor) -> Tensor:
        """Bring patches to unit length."""
        return unit_length(patches)

    def distance(self, patches: Tensor, prototypes: Tensor) -> Tensor:
        """See :func:`mmproto.functional.cosine_distance`."""
        return cosine_distance(patches, prototypes)

    def pairwise_distance(self, patches: Tensor, prototypes: Tensor) -> Tensor:
        """See :func:`mmproto.functional.pairwise_cosine_distance`."""
        return pairwise_cosine_distance(patches, prototypes)

    def score(
        self, distances: Tensor, labels: Tensor | None = None, prototype_class: Tensor | None = None
    ) -> Tensor:
        """Return the cosine, ``1 - distance``, times the scale."""
        return self.scale * (1 - distances)

    @torch.no_grad()
    def constrain(self, prototypes: Tensor) -> None:
        """Bring prototypes to unit length."""
        prototypes.copy_(unit_length(prototypes.flatten(1)).view_as(prototypes))
