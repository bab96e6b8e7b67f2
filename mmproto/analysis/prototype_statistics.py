"""What there is to know of each prototype, and what of that gives concern."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mmproto.analysis.dataset_scores import DatasetScores
from mmproto.analysis.firing import firing_shares
from mmproto.analysis.image_patch import ImagePatch
from mmproto.analysis.prototype_patches import duplicates
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
        nearest_train: The nearest patches of the push set, one an image, the nearest first.
        nearest_test: The nearest patches of the test set, likewise.
        duplicates: Indices of the other prototypes of its class that are the same patch.
        parts: Names of the parts inside its box on its training image, None where the data knows
            no parts, or not the image.
        strongest_class: The class in whose logit it has the greatest weight; its own if no other is
            greater.
    """

    prototype: int
    name: str
    label: int
    weight: float
    class_images: int
    fires_own: float
    fires_other: float
    nearest_train: list[ImagePatch]
    nearest_test: list[ImagePatch]
    duplicates: list[int]
    parts: list[str] | None
    strongest_class: int

    @property
    def concerns(self) -> list[str]:
        """What speaks against the prototype, in words; empty if nothing does."""
        found = []
        if self.duplicates:
            count = len(self.duplicates)
            others = 'another prototype' if count == 1 else f'{count} others'
            found.append(f'shares its patch with {others}')
        if self.parts == []:
            found.append('may look at background: no part that is annotated is in its box')
        own = sum(patch.label == self.label for patch in self.nearest_train)
        if self.label >= 0 and own < min(len(self.nearest_train), self.class_images) / 2:
            found.append(
                f'speaks for the wrong class: {own} of its {len(self.nearest_train)} nearest '
                'training patches are of its own'
            )
        if self.label not in (-1, self.strongest_class):
            found.append('adds more to the logit of another class than to that of its own')
        if self.fires_other == 0 and (self.fires_own == 0 or self.label < 0):
            found.append('never fires')
        elif self.label >= 0 and self.fires_own <= self.fires_other:
            found.append('fires on other classes as often as on its own')
        return found


def prototype_statistics(
    head: ProtoPNetHead,
    train: DatasetScores | None,
    test: DatasetScores,
    parts: Mapping[int, list[str]],
) -> list[PrototypeStatistics]:
    """Tell of every prototype.

    Args:
        head: The :class:`ProtoPNetHead`.
        train: The scores of the push set, None if it is not there.
        test: The scores of the test set.
        parts: Names of the parts in a prototype's training patch, by the prototypes of which they
            are known.
    """
    prototype_class = head.prototype_class.cpu().numpy()
    weight = head.last_layer.weight.detach().cpu().numpy()
    strongest = strongest_classes(weight, prototype_class)
    explained = np.where(prototype_class >= 0, prototype_class, strongest)
    own_weight = np.take_along_axis(weight, explained[None], axis=0)[0]
    fires_own, fires_other = firing_shares(test, prototype_class).tolist()
    same_patch = duplicates(head)
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
            nearest_train=[] if train is None else train.nearest[j],
            nearest_test=test.nearest[j],
            duplicates=same_patch[j],
            parts=parts.get(j),
            strongest_class=int(strongest[j]),
        )
        for j, label in enumerate(prototype_class.tolist())
    ]


def strongest_classes(weight: np.ndarray, prototype_class: np.ndarray) -> np.ndarray:
    """Return the class (P,) in whose logit each prototype has the greatest weight.

    Its own if no other is greater.

    Args:
        weight: Weight of every prototype in the logit of every class (K, P).
        prototype_class: Class of every prototype (P,), -1 for none.
    """
    own = np.arange(len(weight))[:, None] == prototype_class
    return np.where(own & (weight == weight.max(axis=0)), np.inf, weight).argmax(axis=0)
