"""What a report of a whole model says, as plain data: the analysis fills it, the page shows it."""

from dataclasses import dataclass

import numpy as np

from mmproto.engine.push_record import PushRecord
from mmproto.explanation.explain import MOST_SIMILAR
from mmproto.explanation.image_explanation import ImageExplanation
from mmproto.functional import Box


@dataclass(frozen=True)
class ImagePatch:
    """An image's patch that is nearest to a prototype (the paper's global analysis).

    Attributes:
        split: 'train' for the push set, 'test' for the test set.
        image: Number of the image in that set.
        label: Class of the image.
        similarity: Similarity of the patch to the prototype.
        box: The patch in the network's input: top, bottom, left, right.
    """

    split: str
    image: int
    label: int
    similarity: float
    box: Box


def fires_among(prototypes: int, classes: int) -> int:
    """Among how many of an image's most activated prototypes one is said to fire.

    As many as a class has, on average, at least one and at most ten: if each class had its
    prototypes to itself, only those of the image's class would fire.
    """
    return min(MOST_SIMILAR, max(1, prototypes // classes))


@dataclass(frozen=True)
class PrototypeStatistics:
    """What there is to know of a prototype.

    A prototype fires on an image if it is among its most activated ones, as many of them as
    :func:`fires_among` tells.

    Attributes:
        number: Its number.
        label: Its class, -1 for none.
        weight: Its weight in the logit of its class, of ``strongest_class`` if it has none.
        class_images: How many images of the push set are of its class, 0 if it has none.
        fires_own: Share of the test images of its class that it fires on, nan if there are none.
        fires_other: Share of all other test images that it fires on, likewise.
        nearest_train: The nearest patches of the push set, one an image, the nearest first.
        nearest_test: The nearest patches of the test set, likewise.
        twins: Numbers of other prototypes on the same patch.
        parts: Names of the parts inside its box on its training image, None where the data knows
            no parts, or not the image.
        strongest_class: The class to whose logit it adds most; its own if no other gets more.
    """

    number: int
    label: int
    weight: float
    class_images: int
    fires_own: float
    fires_other: float
    nearest_train: list[ImagePatch]
    nearest_test: list[ImagePatch]
    twins: list[int]
    parts: list[str] | None
    strongest_class: int

    @property
    def concerns(self) -> list[str]:
        """What speaks against trusting the prototype, in words; empty if nothing does."""
        found = []
        if self.twins:
            others = 'another prototype' if len(self.twins) == 1 else f'{len(self.twins)} others'
            found.append(f'shares its patch with {others}')
        if self.parts == []:
            found.append('may look at background: no part that is annotated is in its box')
        own = sum(sighting.label == self.label for sighting in self.nearest_train)
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


@dataclass(frozen=True)
class PartAgreement:
    """Whether prototypes look at what they should, where part locations tell.

    Of every test image the ten highest-scoring prototypes are asked.

    Attributes:
        images: How many test images.
        on_object: Share of their boxes that lie on the object: a visible part is inside.
        on_same_part: Share of their boxes that hold a part that the prototype's own training
            patch holds, out of the prototypes whose patch holds one.
        chance_on_object: Share of the same boxes that hold a part of another test image.
        chance_on_same_part: Share of the same boxes that hold the prototype's part of another
            test image.
    """

    images: int
    on_object: float
    on_same_part: float
    chance_on_object: float
    chance_on_same_part: float


@dataclass(frozen=True)
class LatentMap:
    """The latent space in two dimensions: all prototypes, and a sample of patches.

    Attributes:
        position: Place of every point (M, 2); the prototypes come first, in order.
        label: Class of every point (M,).
        sighting: The patch of every point that is no prototype (M - P).
        neighbours: For every point the numbers of the nearest others in the latent space (M, k).
        method: What the dimensions were reduced by, in words.
    """

    position: np.ndarray
    label: np.ndarray
    sighting: list[ImagePatch]
    neighbours: np.ndarray
    method: str


@dataclass(frozen=True)
class ModelReport:
    """All that the page shows.

    Attributes:
        config: Name of the config.
        checkpoint: Name of the checkpoint.
        classes: Name of every class.
        confusion: Test images by true class (rows) and predicted class (K, K).
        prototypes: Every prototype.
        right: Explained test images that were classified correctly.
        mistakes: Explained test images that were not, the most confident mistake first.
        again: The explained images by another attribution, by their names; empty if none.
        pushes: Every push that left its record, in order.
        truth: How well boxes and parts agree, None where the data knows no parts.
        latent: The map of the latent space.
        warning: What has to be said first of all, None if nothing.
        origin: Where the pictures of the prototypes come from, in words.
    """

    config: str
    checkpoint: str
    classes: list[str]
    confusion: np.ndarray
    prototypes: list[PrototypeStatistics]
    right: list[ImageExplanation]
    mistakes: list[ImageExplanation]
    again: dict[str, ImageExplanation]
    pushes: list[PushRecord]
    truth: PartAgreement | None
    latent: LatentMap
    warning: str | None
    origin: str

    @property
    def fires_among(self) -> int:
        """Among how many of an image's most activated prototypes one is said to fire."""
        return fires_among(len(self.prototypes), len(self.classes))

    @property
    def accuracy(self) -> float:
        """Top-1 accuracy on the test set, a share."""
        return float(np.trace(self.confusion) / max(self.confusion.sum(), 1))
