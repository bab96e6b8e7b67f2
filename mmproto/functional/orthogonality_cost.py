"""The orthogonality of the prototypes of a class."""

from torch import Tensor

from mmproto.functional.class_cosines import class_cosines


def orthogonality_cost(prototypes: Tensor, prototype_class: Tensor) -> Tensor:
    """Average the squared cosine over all pairs of two prototypes of one class.

    ``Orth = 1/|R| sum_{(j, m) in R} cos(p_j, p_m)^2``,
    ``R = {(j, m): j != m, c_j = c_m}``

    Times the number of pairs this is the sum over the classes of ``|Q Q^T - I|_F^2``, Q being the
    prototypes of a class at unit length: TesNet (Wang et al., ICCV 2021) and Deformable ProtoPNet
    (Donnelly et al., CVPR 2022). The mean keeps one weight right for any number of prototypes.

    Args:
        prototypes: Prototypes (P, D, h, w).
        prototype_class: Class of each prototype (P,), -1 for none.

    Returns:
        From 0, all are orthogonal, to 1, all of a class point one way; 0 if there is no pair.
    """
    cosines, pairs = class_cosines(prototypes, prototype_class)
    return (cosines.square() * pairs).sum() / pairs.sum().clamp(min=1)
