"""A contrast between the prototypes of a class."""

from torch import Tensor

from mmproto.functional.class_cosines import class_cosines


def prototype_contrast_cost(
    prototypes: Tensor, prototype_class: Tensor, temperature: float = 0.1
) -> Tensor:
    """Let each prototype be told from the others of its class: InfoNCE with itself as positive.

    The cross entropy of picking prototype j among the k of its class by the cosine to it, over
    its greatest value, log k; then the mean over the prototypes that have others beside them:

    ``Contrast_j = log(sum_{m: c_m = c_j} exp((cos(p_j, p_m) - 1) / temperature)) / log k``

    Args:
        prototypes: Prototypes (P, D, h, w).
        prototype_class: Class of each prototype (P,), -1 for none.
        temperature: Difference of cosines that counts: from a few of them on, two prototypes are
            apart and cost next to nothing.

    Returns:
        From about 0, all are apart, to 1, all of a class point one way; 0 if there is no pair.
        Prototypes that are equal already get no gradient, as none of them is to go first.
    """
    cosines, pairs = class_cosines(prototypes, prototype_class)
    others = pairs.sum(dim=-1)
    # A prototype with itself is the 1 in log1p.
    confused = (((cosines - 1) / temperature).exp() * pairs).sum(dim=-1).log1p()
    has_others = others > 0
    shares = confused[has_others] / others[has_others].log1p()
    return shares.sum() / has_others.sum().clamp(min=1)
