"""Which pixels matter to a prototype's score: by the map of similarities, or by gradients."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from mmproto.errors import InputError
from mmproto.explanation.high_activation import cell_centre, find_box, upsample
from mmproto.explanation.prototype_maps import PrototypeMaps
from mmproto.functional import Box, ReceptiveField
from mmproto.models import ProtoPNet
from mmproto.models.backbones.receptive_field import backbone_receptive_field
from mmproto.utils.extras import need

# Gets the classifier in eval mode, a normalised image (C, H, W), and where some prototypes are
# found in it; gives maps (k, H, W), fp32, that are the higher the more a pixel matters to the
# prototype's score.
Attribution = Callable[[ProtoPNet, Tensor, PrototypeMaps], np.ndarray]

STEPS = 32  # of the integral
BATCH = 64  # images that go through the network at once
SAMPLES = 16  # noisy copies
NOISE = 0.15  # standard deviation, as a fraction of the image's range
SEED = 0
SMOOTHING = 1 / 32  # standard deviation of the Gaussian, as a fraction of the shorter side


def upsampling(model: ProtoPNet, image: Tensor, maps: PrototypeMaps) -> np.ndarray:
    """Return the similarity map, upsampled with cubic interpolation, as in the paper."""
    size = image.shape[-2], image.shape[-1]
    return np.stack([upsample(scores, size) for scores in maps.scores])


def receptive_field(model: ProtoPNet, image: Tensor, maps: PrototypeMaps) -> np.ndarray:
    """1 for the receptive field of the nearest patch, 0 for the rest of the image.

    Raises:
        InputError: If the backbone's receptive field is not known.
    """
    field = _known_field(model)
    size = image.shape[-2], image.shape[-1]
    _, _, h, w = model.head.prototype_vectors.shape
    marked = np.zeros((len(maps.locations), *size), np.float32)
    for one, (row, column) in zip(marked, maps.locations.tolist()):
        top, bottom, left, right = field.box((row, column), size, (h, w))
        one[top:bottom, left:right] = 1
    return marked


def integrated_gradients(model: ProtoPNet, image: Tensor, maps: PrototypeMaps) -> np.ndarray:
    """Return what each pixel adds to the score on the way from a grey image (Sundararajan, 2017).

    The grey image is the data set's mean colour. Only what adds to the score is kept.
    """
    return smooth(path_attributions(model, image, maps.prototypes).sum(dim=1).clamp(min=0))


def smooth_grad(model: ProtoPNet, image: Tensor, maps: PrototypeMaps) -> np.ndarray:
    """How much the score moves with each pixel, mean over noisy copies (Smilkov, 2017).

    The noise is the same for every image and prototype.
    """
    from captum.attr import NoiseTunnel, Saliency

    tunnel = NoiseTunnel(Saliency(prototype_scores(model)))
    spread = NOISE * float(image.max() - image.min())
    gradients = []
    for prototype in maps.prototypes:
        with torch.random.fork_rng(), torch.enable_grad():
            torch.manual_seed(SEED)
            gradients.append(
                tunnel.attribute(
                    image[None].clone().requires_grad_(),
                    nt_type='smoothgrad',
                    nt_samples=SAMPLES,
                    stdevs=spread,
                    target=prototype,
                )
            )
    return smooth(torch.cat(gradients).sum(dim=1))


def path_attributions(model: ProtoPNet, image: Tensor, prototypes: Sequence[int]) -> Tensor:
    """Integrated gradients (k, C, H, W), which sum to the score less that of a grey image."""
    from captum.attr import IntegratedGradients

    copies = image.expand(len(prototypes), *image.shape).clone()
    with torch.enable_grad():
        attributions = IntegratedGradients(prototype_scores(model)).attribute(
            copies.requires_grad_(),
            target=torch.as_tensor(prototypes, device=image.device),
            n_steps=STEPS,
            internal_batch_size=max(BATCH, len(prototypes)),
        )
    return attributions.detach()


def prototype_scores(model: ProtoPNet) -> Callable[[Tensor], Tensor]:
    """Return the function from images (N, C, H, W) to the scores (N, P) of all prototypes."""
    return lambda inputs: model.head.pre_logits(model.extract_feat(inputs))


ATTRIBUTIONS: dict[str, Attribution] = dict(
    upsampling=upsampling,
    integrated_gradients=integrated_gradients,
    smooth_grad=smooth_grad,
    receptive_field=receptive_field,
)
NEED_CAPTUM = {'integrated_gradients', 'smooth_grad'}


def attribute(
    name: str, model: ProtoPNet, image: Tensor, maps: PrototypeMaps
) -> list[tuple[np.ndarray, Box]]:
    """Find the pixels that matter to the scores of some prototypes.

    The box of a similarity map is around the cell that scored, wherever the upsampled map is
    highest; that of another map around its highest pixel, as what makes a cell what it is need not
    lie on it.

    Args:
        name: Name of the attribution.
        model: The classifier, in eval mode.
        image: A normalised image (C, H, W).
        maps: Where the prototypes are found in it.

    Returns:
        Of each prototype the map (H, W), fp32, and the box.

    Raises:
        InputError: If the attribution is unknown, or not for this model.
    """
    attribution = find_attribution(name)
    found = []
    for activation, location, scores in zip(
        attribution(model, image, maps), maps.locations.tolist(), maps.scores
    ):
        point = np.unravel_index(activation.argmax(), activation.shape)
        if attribution is upsampling:
            point = cell_centre(location, scores.shape, activation.shape)
        found.append((activation, find_box(model.head, activation, point)))
    return found


def smooth(attributions: Tensor) -> np.ndarray:
    """Smooth maps (k, H, W), so that a few strong pixels make a place."""
    sigma = SMOOTHING * min(attributions.shape[-2:])
    maps = attributions.float().cpu().numpy()
    return np.stack([cv2.GaussianBlur(one, (0, 0), sigma) for one in maps])


def find_attribution(name: str) -> Attribution:
    """Return an attribution by its name.

    Raises:
        InputError: If there is none of that name, or its library is not installed.
    """
    if name not in ATTRIBUTIONS:
        raise InputError(f'attribution={name!r} is unknown: choose one of {sorted(ATTRIBUTIONS)}')
    if name in NEED_CAPTUM:
        need('explain', 'captum')
    return ATTRIBUTIONS[name]


def check_attribution(name: str, model: ProtoPNet) -> None:
    """Raise an InputError if there is no such attribution, or not for this model."""
    if find_attribution(name) is receptive_field:
        _known_field(model)


def _known_field(model: ProtoPNet) -> ReceptiveField:
    field = backbone_receptive_field(model.backbone)
    if field is None:
        raise InputError(
            "attribution='receptive_field' is only known for VGG, ResNet and DenseNet: choose "
            f'one of {sorted(set(ATTRIBUTIONS) - {"receptive_field"})}'
        )
    return field
