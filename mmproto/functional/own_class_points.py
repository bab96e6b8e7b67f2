"""How much of a class's logit its own prototypes account for."""

import torch
from torch import Tensor


def own_class_points(
    scores: Tensor, weight: Tensor, prototype_class: Tensor
) -> tuple[Tensor, Tensor]:
    """Points that every class gets from its own prototypes, alone and beside all others.

    The points of prototype j for class k are ``weight[k, j] * scores[:, j]``; all that a class
    gets sum to its logit (section 2.1). A prototype of class -1 is no class's own.

    Args:
        scores: Score of every prototype on every image (N, P).
        weight: Weight of each score in each logit (num_classes, P).
        prototype_class: Class of each prototype (P,), -1 for none.

    Returns:
        Sum of the points from own prototypes (N, num_classes); and the sum of their absolute
        values as a fraction of that of all points (N, num_classes), 0 where there are no points.
    """
    classes = torch.arange(len(weight), device=weight.device)
    own_weight = weight.masked_fill(classes[:, None] != prototype_class, 0)
    absolute = scores.abs()
    own, every = absolute @ own_weight.abs().t(), absolute @ weight.abs().t()
    fraction = own / every.clamp(min=torch.finfo(every.dtype).tiny)
    return scores @ own_weight.t(), fraction
