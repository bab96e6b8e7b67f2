"""How much a point tells its class: the linear discriminant by least squares."""

import torch
from torch import Tensor


def class_discriminant(points: Tensor, classes: Tensor) -> Tensor:
    """Fit by least squares, with a constant, which classes points have.

    Points that are alike in every class have the share of the class there; those that only one
    class has are near 1.

    Args:
        points: Points (M, K).
        classes: Which classes each has, bool (M, C).

    Returns:
        What the fit gives each point for each class, double (M, C).
    """
    factors = torch.cat([points, torch.ones_like(points[:, :1])], dim=1).double().cpu()
    # 'gelsd' knows factors that depend on each other.
    fit = torch.linalg.lstsq(factors, classes.double().cpu(), driver='gelsd')
    return factors @ fit.solution
