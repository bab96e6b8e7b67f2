"""Why a prediction: the prototypes that scored points for a class, and where (section 2.3)."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from mmproto.explanation.attribution import attribute
from mmproto.explanation.prediction_explanation import ClassExplanation, PredictionExplanation
from mmproto.explanation.prototype_maps import prototype_maps
from mmproto.explanation.prototype_match import PrototypeMatch
from mmproto.functional import cells_box
from mmproto.models import ProtoPNet
from mmproto.models.outputs import HeadOutputs

MOST_SIMILAR = 10
CHUNK = 64  # maps of that many prototypes are held at once


@torch.no_grad()
def explain(
    model: ProtoPNet,
    inputs: Tensor,
    targets: Sequence[int | None],
    attribution: str = 'upsampling',
) -> list[PredictionExplanation]:
    """Explain a batch of images, in one forward pass unless the attribution needs more.

    All figures are the head's: its scores and weights, its locations, its similarity maps.

    Args:
        model: A classifier with a ``ProtoPNetHead``, in eval mode.
        inputs: Normalised images (N, C, H, W).
        targets: For each image the class to explain; the predicted one where None.
        attribution: What finds the pixels that matter to a score, one of ``ATTRIBUTIONS``; the
            boxes are as ``model.head.box`` asks for.

    Returns:
        An explanation of each image.

    Raises:
        InputError: If the attribution is unknown, or not for this model.
    """
    features = model.extract_feat(inputs)[-1]
    return [
        _explain_one(model, image, model.head.outputs([one[None]]), target, attribution)
        for image, one, target in zip(inputs, features, targets)
    ]


@torch.no_grad()
def every_match(
    model: ProtoPNet, inputs: Tensor, attribution: str = 'upsampling'
) -> Iterator[tuple[int, Iterator[PrototypeMatch]]]:
    """Find every prototype in each image of a batch, weighted for the predicted class.

    Args:
        model: A classifier with a ``ProtoPNetHead``, in eval mode.
        inputs: Normalised images (N, C, H, W).
        attribution: As for :func:`explain`.

    Yields:
        The predicted class of an image and its matches by number, found as they are asked for:
        the maps of all of them are too much to hold.
    """
    for image, one in zip(inputs, model.extract_feat(inputs)[-1]):
        outputs = model.head.outputs([one[None]])
        label = int(outputs.logits[0].argmax())
        yield label, _all_matches(model, image, outputs, label, attribution)


@torch.no_grad()
def _all_matches(
    model: ProtoPNet, image: Tensor, outputs: HeadOutputs, label: int, attribution: str
) -> Iterator[PrototypeMatch]:
    names = model.head.prototype_names
    weight = outputs.class_weight(label)
    numbers = list(range(len(names)))
    for first in range(0, len(numbers), CHUNK):
        some = numbers[first : first + CHUNK]
        places = _places(model, image, outputs, some, attribution)
        for prototype in some:
            yield _match(outputs, names, prototype, weight, places[prototype])


def own_prototypes(outputs: HeadOutputs, label: int) -> list[int]:
    """Return the prototypes that explain a class in one image.

    They are its own; or, if it has none, those that add most to its logit, the first one most.
    """
    own = (outputs.prototype_class == label).nonzero().flatten()
    if len(own):
        return own.tolist()
    points = outputs.scores[0] * outputs.class_weight(label)
    return points.argsort(descending=True, stable=True)[:MOST_SIMILAR].tolist()


def _explain_one(
    model: ProtoPNet, image: Tensor, outputs: HeadOutputs, target: int | None, attribution: str
) -> PredictionExplanation:
    """Explain an image (C, H, W) by what the head has computed of it alone."""
    logits = outputs.logits[0]
    ranked = logits.argsort(descending=True, stable=True).tolist()
    target = ranked[0] if target is None else target
    rival = next(label for label in ranked if label != target)
    most_similar = outputs.scores[0].argsort(descending=True, stable=True)[:MOST_SIMILAR].tolist()
    of_target, of_rival = own_prototypes(outputs, target), own_prototypes(outputs, rival)
    prototypes = sorted({*of_target, *of_rival, *most_similar})
    places = _places(model, image, outputs, prototypes, attribution)
    probabilities = model.head.probabilities(logits)
    bias = model.head.last_layer.bias
    names = model.head.prototype_names

    def matches(some: list[int], label: int) -> list[PrototypeMatch]:
        weight = outputs.class_weight(label)
        return [_match(outputs, names, one, weight, places[one]) for one in some]

    def explanation_of(label: int, own: list[int]) -> ClassExplanation:
        points = outputs.scores[0].cpu().double() * outputs.class_weight(label).cpu().double()
        points[own] = 0
        return ClassExplanation(
            label=label,
            logit=float(logits[label]),
            probability=float(probabilities[label]),
            matches=sorted(matches(own, label), key=lambda match: -match.points),
            rest=float(points.sum()),
            start=0.0 if bias is None else float(bias[label]),
        )

    return PredictionExplanation(
        probabilities=probabilities.cpu(),
        predicted=model.head.predicted_labels(probabilities),
        target=explanation_of(target, of_target),
        rival=explanation_of(rival, of_rival),
        most_similar=matches(most_similar, target),
        highest_score=model.head.highest_score,
        attribution=attribution,
    )


def _match(
    outputs: HeadOutputs, names: Sequence[str], prototype: int, weight: Tensor, place: dict
) -> PrototypeMatch:
    """Return the match of a prototype found at a place, weighted for a class: weights (P,)."""
    return PrototypeMatch(
        prototype=prototype,
        name=names[prototype],
        prototype_class=int(outputs.prototype_class[prototype]),
        score=float(outputs.scores[0, prototype]),
        weight=float(weight[prototype]),
        **place,
    )


def _places(
    model: ProtoPNet, image: Tensor, outputs: HeadOutputs, prototypes: list[int], attribution: str
) -> dict[int, dict]:
    """Where each prototype is found in an image: its cells, its box and its activation."""
    maps = prototype_maps(model.head, outputs, prototypes)
    found = attribute(attribution, model, image, maps)
    places = {}
    for prototype, location, (activation, box) in zip(prototypes, maps.locations.tolist(), found):
        places[prototype] = dict(
            location=tuple(location),
            cell=cells_box(
                location,
                outputs.feature_map.shape[2:],
                image.shape[1:],
                outputs.prototypes.shape[2:],
            ),
            box=box,
            activation=_from_0_to_1(activation).astype(np.float16),
        )
    return places


def _from_0_to_1(activation: np.ndarray) -> np.ndarray:
    """Return the map stretched to the range from 0 to 1; 0 everywhere if it is flat."""
    return cv2.normalize(activation, np.empty_like(activation), 0, 1, cv2.NORM_MINMAX)
