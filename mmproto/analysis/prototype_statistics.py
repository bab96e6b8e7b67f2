"""What there is to know of each prototype."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Any

import numpy as np

from mmproto.analysis.concerns import Concern, find_concerns
from mmproto.analysis.dataset_scores import DatasetScores
from mmproto.analysis.firing import firing_shares
from mmproto.analysis.image_patch import ImagePatch
from mmproto.analysis.patch_pixels import contrast, pixels, unlike_images_with
from mmproto.analysis.prototype_patches import (
    duplicates,
    patches_on_origin,
    prototypes_of_same_image,
)
from mmproto.evaluation.figure import Figure
from mmproto.evaluation.figures.on_object import OBJECT_SHARE
from mmproto.models import ProtoPNetHead


@dataclass(frozen=True)
class PrototypeStatistics:
    """What there is to know of a prototype.

    A prototype fires on an image if it is among its highest-scoring ones, as many of them as
    :func:`mmproto.analysis.firing.fires_among` tells.

    Attributes:
        prototype: Its index.
        name: What a person calls it, '' if nobody has named it.
        label: Its class, -1 for none.
        weight: Its weight in the logit of its class, of ``strongest_class`` if it has none.
        class_images: How many images of the push set are of its class, 0 if it has none.
        fires_own: Share of the test images of its class that it fires on, NaN if there are none.
        fires_other: Share of all other test images that it fires on, likewise.
        score_own: Its mean score on the test images of its class, NaN if there are none.
        score_other: Its mean score on all other test images, likewise.
        nearest_train: The nearest patches of the push set, one an image, the nearest first.
        nearest_test: The nearest patches of the test set, likewise.
        duplicates: Indices of the other prototypes of its class that are the same patch.
        parts: Names of the parts inside its box on its training image, None where the data knows
            no parts, or not the image.
        strongest_class: The class in whose logit it has the greatest weight; its own if no other is
            greater.
        strongest_weight: That weight.
        highest_score: What a prototype scores on a patch that equals it.
        from_same_image: Indices of the other prototypes of its class that are patches of the same
            training image.
        own_score: Its score on its training image, None if that is not there.
        place: Where in the feature map its training patch is, see :class:`ImagePatch`; '' if that
            is not known, or says nothing.
        box_share: How much of its training image its box covers, 0 if that is not known.
        contrast: Standard deviation of the grey values in its box, by that of the whole image in a
            typical training image; None if it is not known.
        shared: In how many training images, of those compared that are otherwise unlike its own,
            the same pixels are at the same place; and of how many.
        on_object: Which share of what it marks in test images lies on the object, and which share
            of them the object covers; None where the data has no masks, or it marked nothing.
    """

    prototype: int
    name: str
    label: int
    weight: float
    class_images: int
    fires_own: float
    fires_other: float
    score_own: float
    score_other: float
    nearest_train: list[ImagePatch]
    nearest_test: list[ImagePatch]
    duplicates: list[int]
    parts: list[str] | None
    strongest_class: int
    strongest_weight: float
    highest_score: float
    from_same_image: list[int]
    own_score: float | None = None
    place: str = ''
    box_share: float = 0.0
    contrast: float | None = None
    shared: tuple[int, int] = (0, 0)
    on_object: tuple[float, float] | None = None

    @property
    def concerns(self) -> list[Concern]:
        """What speaks against the prototype, what is serious first; empty if nothing does."""
        return find_concerns(self)

    @property
    def doubtful(self) -> bool:
        """Whether something serious speaks against it."""
        return any(concern.serious for concern in self.concerns)

    @property
    def use(self) -> float:
        """How much it has to say: its weight times how often it fires on its class."""
        fires = self.fires_other if isnan(self.fires_own) else self.fires_own
        return 0.0 if isnan(fires) else self.weight * fires


def prototype_statistics(
    head: ProtoPNetHead,
    train: DatasetScores | None,
    test: DatasetScores,
    parts: Mapping[int, list[str]],
    own: Mapping[int, ImagePatch],
) -> list[PrototypeStatistics]:
    """Tell of every prototype.

    Args:
        head: The :class:`ProtoPNetHead`.
        train: The scores of the push set, None if it is not there.
        test: The scores of the test set.
        parts: Names of the parts in a prototype's training patch, by the prototypes of which they
            are known.
        own: The training patches of the prototypes, by the prototypes of which they are known.
    """
    prototype_class = head.prototype_class.cpu().numpy()
    weight = head.last_layer_weight.cpu().numpy()
    strongest = strongest_classes(weight, prototype_class)
    explained = np.where(prototype_class >= 0, prototype_class, strongest)
    own_weight = np.take_along_axis(weight, explained[None], axis=0)[0]
    fires_own, fires_other = firing_shares(test, prototype_class).tolist()
    score_own, score_other = test.mean_scores.tolist()
    same_patch, same_image = duplicates(head), prototypes_of_same_image(head)
    on_origin = {} if train is None else patches_on_origin(head, train)
    images = np.zeros(len(weight), int)
    if train is not None:
        images = np.bincount(train.labels, minlength=len(weight))
    names = head.prototype_names
    return [
        PrototypeStatistics(
            prototype=j,
            name=names[j],
            label=label,
            weight=float(own_weight[j]),
            class_images=int(images[label]) if label >= 0 else 0,
            fires_own=fires_own[j],
            fires_other=fires_other[j],
            score_own=score_own[j],
            score_other=score_other[j],
            nearest_train=[] if train is None else train.nearest[j],
            nearest_test=test.nearest[j],
            duplicates=same_patch[j],
            parts=parts.get(j),
            strongest_class=int(strongest[j]),
            strongest_weight=float(weight[strongest[j], j]),
            highest_score=head.highest_score,
            from_same_image=same_image[j],
            own_score=on_origin[j].score if j in on_origin else None,
            **({} if train is None or j not in own else _of_patch(own[j], train, train.nearest[j])),
        )
        for j, label in enumerate(prototype_class.tolist())
    ]


def with_figures(
    prototypes: list[PrototypeStatistics], figures: Sequence[Figure]
) -> list[PrototypeStatistics]:
    """Return the prototypes with what the figures of the explanations say of each."""
    for figure in figures:
        if figure.name == 'on_object' and figure.of_prototypes is not None:
            object_share = figure.chance[OBJECT_SHARE]
            return [
                one if isnan(share) else replace(one, on_object=(share, object_share))
                for one, share in zip(prototypes, figure.of_prototypes.tolist())
            ]
    return prototypes


def strongest_classes(weight: np.ndarray, prototype_class: np.ndarray) -> np.ndarray:
    """Return the class (P,) in whose logit each prototype has the greatest weight.

    Its own if no other is greater.

    Args:
        weight: Weight of every prototype in the logit of every class (K, P).
        prototype_class: Class of every prototype (P,), -1 for none.
    """
    own = np.arange(len(weight))[:, None] == prototype_class
    return np.where(own & (weight == weight.max(axis=0)), np.inf, weight).argmax(axis=0)


def _of_patch(own: ImagePatch, train: DatasetScores, nearest: list[ImagePatch]) -> dict[str, Any]:
    """Return what is told of a training patch, beside the patches nearest to the prototype."""
    grey = train.greys[own.image]
    box = pixels(grey, own.box_in_fractions)
    # The nearest of any class, and some of its own whatever the model takes them for.
    others = {patch.image for patch in nearest}
    others.update(image for image in train.greys if train.labels[image] == own.label)
    compared = (train.greys[image] for image in sorted(others - {own.image}))
    return dict(
        place=own.place,
        box_share=own.box_share,
        contrast=contrast(grey, box) / max(train.contrast, 1e-6),
        shared=unlike_images_with(grey, box, compared),
    )
