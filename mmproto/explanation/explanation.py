"""Why a prediction: the prototypes that scored points for a class, and where (section 2.3)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from mmproto.explanation.attribution import find_attribution
from mmproto.explanation.high_activation import high_activation_box
from mmproto.functional import Box

SHOWN = 10


@dataclass(frozen=True)
class Match:
    """A prototype and the patch of the picture that is nearest to it.

    Attributes:
        prototype: Number of the prototype.
        label: The prototype's own class, -1 for none.
        similarity: Its score, the similarity of the patch.
        weight: Weight of the score in the logit of the class that is explained.
        location: Row and column of the patch in the feature map.
        box: Top, bottom, left and right of the patch in the network's input, ends exclusive.
        activation: How much every pixel of the network's input (H, W) matters to the score, from
            0 to 1; in half precision, since many are held at once.
    """

    prototype: int
    label: int
    similarity: float
    weight: float
    location: tuple[int, int]
    box: Box
    activation: np.ndarray = field(repr=False, compare=False)

    @property
    def points(self) -> float:
        """What the match adds to the logit."""
        return self.similarity * self.weight


@dataclass(frozen=True)
class ClassEvidence:
    """How a logit comes about: the points of the matches and the rest sum to it.

    Attributes:
        label: The class.
        logit: Its logit, as the network gives it.
        probability: Its softmax probability.
        matches: The class's own prototypes, or, if it has none, those that add most to its logit;
            the one with most points first.
        rest: Points of all prototypes that are not in ``matches``.
    """

    label: int
    logit: float
    probability: float
    matches: list[Match]
    rest: float

    @property
    def error(self) -> float:
        """By how much the points miss the logit: rounding, about 1e-6."""
        return abs(sum(match.points for match in self.matches) + self.rest - self.logit)


@dataclass(frozen=True)
class Explanation:
    """Why the network takes a picture for what it does.

    Attributes:
        probabilities: Softmax probability of every class (num_classes,).
        explained: The class that was asked for, the predicted one if none was.
        rival: The class to tell it from: the predicted one if another was asked for, else the
            runner-up.
        most_similar: The most activated prototypes over all classes, weighted for ``explained``.
        attribution: Name of the attribution that boxes and activations come from.
    """

    probabilities: Tensor
    explained: ClassEvidence
    rival: ClassEvidence
    most_similar: list[Match]
    attribution: str

    @property
    def predicted(self) -> int:
        """The predicted class."""
        return int(self.probabilities.argmax())


@torch.no_grad()
def explain(
    model: nn.Module,
    inputs: Tensor,
    asked: Sequence[int | None],
    attribution: str = 'upsampling',
) -> list[Explanation]:
    """Explain a batch of pictures, in one forward pass unless the attribution needs more.

    Args:
        model: A classifier with a ``ProtoPNetHead``, in eval mode.
        inputs: Normalised pictures (N, C, H, W).
        asked: For each picture the class to explain; the predicted one where None.
        attribution: What finds the pixels that matter to a score, one of ``ATTRIBUTIONS``; the
            boxes are around the 5 % that matter most.

    Returns:
        An explanation of each picture.

    Raises:
        InputError: If the attribution is unknown, or not for this model.
    """
    features = model.extract_feat(inputs)[-1]
    return [
        _explain_one(model, picture, one[None], label, attribution)
        for picture, one, label in zip(inputs, features, asked)
    ]


def _explain_one(
    model: nn.Module,
    picture: Tensor,
    features: Tensor,
    asked: int | None,
    attribution: str,
) -> Explanation:
    """Explain one picture by its feature map (1, D, H, W)."""
    head = model.head
    outputs = head.outputs([features])
    scores, logits = outputs.scores[0], outputs.logits[0]
    ranked = logits.argsort(descending=True, stable=True).tolist()
    explained = ranked[0] if asked is None else asked
    rival = next(label for label in ranked if label != explained)
    prototypes = {
        label: own_prototypes(head, scores, label).tolist() for label in (explained, rival)
    }
    most_similar = scores.argsort(descending=True, stable=True)[:SHOWN].tolist()
    shown = sorted({*prototypes[explained], *prototypes[rival], *most_similar})
    places = _places(model, picture, features, outputs.locations[0], shown, attribution)
    weight = head.last_layer.weight

    def match(prototype: int, label: int) -> Match:
        return Match(
            prototype=prototype,
            label=int(head.prototype_class[prototype]),
            similarity=float(scores[prototype]),
            weight=float(weight[label, prototype]),
            **places[prototype],
        )

    probabilities = logits.softmax(dim=0)

    def evidence(label: int) -> ClassEvidence:
        matches = [match(prototype, label) for prototype in prototypes[label]]
        points = scores.cpu().double() * weight[label].cpu().double()
        points[prototypes[label]] = 0
        return ClassEvidence(
            label=label,
            logit=float(logits[label]),
            probability=float(probabilities[label]),
            matches=sorted(matches, key=lambda one: -one.points),
            rest=float(points.sum()),
        )

    return Explanation(
        probabilities=probabilities.cpu(),
        explained=evidence(explained),
        rival=evidence(rival),
        most_similar=[match(prototype, explained) for prototype in most_similar],
        attribution=attribution,
    )


def own_prototypes(head: nn.Module, scores: Tensor, label: int) -> Tensor:
    """The prototypes (k,) that speak for a class: its own, or of those without a class the most."""
    own = (head.prototype_class == label).nonzero().flatten()
    if len(own):
        return own
    points = scores * head.last_layer.weight[label]
    return points.argsort(descending=True, stable=True)[:SHOWN]


def _places(
    model: nn.Module,
    picture: Tensor,
    features: Tensor,
    locations: Tensor,
    prototypes: list[int],
    attribution: str,
) -> dict[int, dict]:
    """Where in a picture each prototype is found: its cell, the box around it, and the map."""
    similarity = model.head.similarity_maps([features])[0, prototypes].cpu().numpy()
    activations = find_attribution(attribution)(model, picture, similarity, prototypes)
    return {
        prototype: dict(
            location=tuple(locations[prototype].tolist()),
            box=high_activation_box(activation),
            activation=cv2.normalize(activation, None, 0, 1, cv2.NORM_MINMAX).astype(np.float16),
        )
        for prototype, activation in zip(prototypes, activations)
    }
