"""Which pixels matter to a prototype's score: by the map of similarities, or by gradients."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from mmproto.errors import InputError
from mmproto.explanation.high_activation import upsample
from mmproto.functional import ReceptiveField
from mmproto.models.backbones.receptive_field import backbone_receptive_field
from mmproto.utils.extras import need

# Gets the classifier in eval mode, a normalised picture (C, H, W), the similarity maps
# (k, H', W') of some prototypes and their numbers; gives maps (k, H, W), fp32, that are the
# higher the more a pixel matters to the prototype's score.
Attribution = Callable[[nn.Module, Tensor, np.ndarray, Sequence[int]], np.ndarray]

STEPS = 32  # of the integral
BATCH = 64  # pictures that go through the network at once
SAMPLES = 16  # noisy copies
NOISE = 0.15  # standard deviation, as a share of the picture's range
SEED = 0
SMOOTHING = 1 / 32  # standard deviation of the Gaussian, as a share of the shorter side


def upsampling(
    model: nn.Module, picture: Tensor, similarity: np.ndarray, prototypes: Sequence[int]
) -> np.ndarray:
    """The similarity map, upsampled with cubic interpolation, as in the paper."""
    size = tuple(picture.shape[-2:])
    return np.stack([upsample(one, size) for one in similarity])


def receptive_field(
    model: nn.Module, picture: Tensor, similarity: np.ndarray, prototypes: Sequence[int]
) -> np.ndarray:
    """1 for all that the most similar patch sees of the picture, 0 for the rest.

    Raises:
        InputError: If the backbone's receptive field is not known.
    """
    field = _known_field(model)
    size = tuple(picture.shape[-2:])
    patch_size = tuple(model.head.prototype_vectors.shape[-2:])
    maps = np.zeros((len(similarity), *size), np.float32)
    for one, places in zip(maps, similarity):
        cell = np.unravel_index(places.argmax(), places.shape)
        top, bottom, left, right = field.box(cell, size, patch_size)
        one[top:bottom, left:right] = 1
    return maps


def integrated_gradients(
    model: nn.Module, picture: Tensor, similarity: np.ndarray, prototypes: Sequence[int]
) -> np.ndarray:
    """What each pixel adds to the score on the way from a grey picture (Sundararajan, 2017).

    The grey picture is the data set's mean colour. Only what speaks for the prototype is kept.
    """
    return _as_maps(path_attributions(model, picture, prototypes).sum(dim=1).clamp(min=0))


def smooth_grad(
    model: nn.Module, picture: Tensor, similarity: np.ndarray, prototypes: Sequence[int]
) -> np.ndarray:
    """How much the score moves with each pixel, mean over noisy copies (Smilkov, 2017).

    The noise is the same for every picture and prototype.
    """
    from captum.attr import NoiseTunnel, Saliency

    tunnel = NoiseTunnel(Saliency(prototype_scores(model)))
    spread = NOISE * float(picture.max() - picture.min())
    gradients = []
    for prototype in prototypes:
        with torch.random.fork_rng(), torch.enable_grad():
            torch.manual_seed(SEED)
            gradients.append(
                tunnel.attribute(
                    picture[None].clone().requires_grad_(),
                    nt_type='smoothgrad',
                    nt_samples=SAMPLES,
                    stdevs=spread,
                    target=prototype,
                )
            )
    return _as_maps(torch.cat(gradients).sum(dim=1))


def path_attributions(model: nn.Module, picture: Tensor, prototypes: Sequence[int]) -> Tensor:
    """Integrated gradients (k, C, H, W), which sum to the score less that of a grey picture."""
    from captum.attr import IntegratedGradients

    copies = picture.expand(len(prototypes), *picture.shape).clone()
    with torch.enable_grad():
        attributions = IntegratedGradients(prototype_scores(model)).attribute(
            copies.requires_grad_(),
            target=torch.as_tensor(prototypes, device=picture.device),
            n_steps=STEPS,
            internal_batch_size=max(BATCH, len(prototypes)),
        )
    return attributions.detach()


def prototype_scores(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """The function from pictures (N, C, H, W) to the scores (N, P) of all prototypes."""
    return lambda inputs: model.head.pre_logits(model.extract_feat(inputs))


ATTRIBUTIONS: dict[str, Attribution] = dict(
    upsampling=upsampling,
    integrated_gradients=integrated_gradients,
    smooth_grad=smooth_grad,
    receptive_field=receptive_field,
)
NEED_CAPTUM = {'integrated_gradients', 'smooth_grad'}


def find_attribution(name: str) -> Attribution:
    """An attribution by its name.

    Raises:
        InputError: If there is none of that name, or its library is not installed.
    """
    if name not in ATTRIBUTIONS:
        raise InputError(f'attribution={name!r} is unknown: choose one of {sorted(ATTRIBUTIONS)}')
    if name in NEED_CAPTUM:
        need('explain', 'captum')
    return ATTRIBUTIONS[name]


def check_attribution(name: str, model: nn.Module) -> None:
    """Raise an InputError if there is no such attribution, or not for this model."""
    if find_attribution(name) is receptive_field:
        _known_field(model)


def _known_field(model: nn.Module) -> ReceptiveField:
    field = backbone_receptive_field(model.backbone)
    if field is None:
        raise InputError(
            "attribution='receptive_field' is only known for VGG, ResNet and DenseNet: choose "
            f'one of {sorted(set(ATTRIBUTIONS) - {"receptive_field"})}'
        )
    return field


def _as_maps(attributions: Tensor) -> np.ndarray:
    """Smooth maps (k, H, W), so that a few strong pixels make a place."""
    sigma = SMOOTHING * min(attributions.shape[-2:])
    maps = attributions.float().cpu().numpy()
    return np.stack([cv2.GaussianBlur(one, (0, 0), sigma) for one in maps])
