"""Which pixels a patch really depends on: its effective receptive field (Luo et al., 2016)."""

import torch
from torch import Tensor


def effective_receptive_field(image: Tensor, patches: Tensor, prototypes: Tensor) -> Tensor:
    """Share of every pixel in what moves patches along their prototypes.

    Of patch z̃ and prototype p the sum over the channels of |∂⟨z̃, p⟩ / ∂x|, divided by that of all
    pixels. It is not the gradient of the score, which vanishes where patch and prototype are
    equal: there the prototype on its own training image would depend on nothing.

    Args:
        image: Pixels (C, H, W), a leaf that requires its gradient.
        patches: The patch that each of k prototypes is found in (k, K), computed of the image, as
            the network gives them: of patches brought to unit length the product has the gradient
            of the cosine, which vanishes as well.
        prototypes: The prototypes (k, K).

    Returns:
        Shares (k, H, W), which sum to 1; 0 everywhere for a patch that moves with no pixel.
    """
    fields = torch.zeros(len(patches), *image.shape[1:], device=image.device)
    for field, product in zip(fields, (patches * prototypes).sum(dim=1)):
        (gradient,) = torch.autograd.grad(product, image, retain_graph=True)
        field.copy_(gradient.abs().sum(dim=0))
    return fields / fields.sum(dim=(1, 2), keepdim=True).clamp(min=torch.finfo(fields.dtype).tiny)
