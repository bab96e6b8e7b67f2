"""A picture with its explanation, in the picture's own pixels."""

from dataclasses import dataclass

import cv2
import numpy as np

from mmproto.explanation.explanation import ClassEvidence, Explanation, Match
from mmproto.explanation.geometry import Geometry
from mmproto.functional import Box
from mmproto.visualization.drawing import scaled_box
from mmproto.visualization.prototype_images import Gallery

# No page needs more pixels, and many pictures are held at once.
DISPLAY_SIDE = 1024


def display_copy(picture: np.ndarray) -> np.ndarray:
    """The picture in three channels, made smaller if it is larger than a page needs."""
    if picture.ndim == 2 or picture.shape[2] == 1:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    scale = DISPLAY_SIDE / max(picture.shape[:2])
    if scale >= 1:
        return picture
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


@dataclass(frozen=True)
class ImageExplanation:
    """What is told of one picture.

    Attributes:
        name: What to call it; unique among the pictures explained together.
        path: Its file, None for an array.
        picture: The original picture, or its display copy, (height, width, 3), uint8, BGR.
        geometry: Where in it the network's input comes from.
        explanation: Why the network takes it for what it does.
        truth: Its true class, where the data set knows it.
        classes: Names of the classes.
    """

    name: str
    path: str | None
    picture: np.ndarray
    geometry: Geometry
    explanation: Explanation
    truth: int | None
    classes: list[str]

    @property
    def matches(self) -> list[Match]:
        """All that is shown."""
        one = self.explanation
        return [*one.explained.matches, *one.rival.matches, *one.most_similar]

    @property
    def rival_question(self) -> str:
        """What the evidence for the rival answers."""
        asked = self.explanation.explained.label != self.explanation.predicted
        return 'It was taken for: why' if asked else 'Why not'

    def box(self, match: Match) -> Box:
        """The box of a match in the original picture: top, bottom, left, right."""
        return self.geometry.to_original(match.box)

    def box_on_display(self, match: Match) -> Box:
        """The box of a match in the pixels of ``picture``."""
        return scaled_box(self.box(match), self.geometry.size, self.picture.shape[:2])

    def to_dict(self, gallery: Gallery) -> dict:
        """Everything but the pictures, as JSON takes it; boxes in the original's pixels."""
        one = self.explanation
        return dict(
            image=self.path,
            image_size=self.geometry.size,
            true_class=None if self.truth is None else self._class(self.truth),
            predicted_class=self._class(one.predicted),
            explained=self._evidence(one.explained, gallery),
            rival=self._evidence(one.rival, gallery),
            most_similar=[self._match(match, gallery) for match in one.most_similar],
            probabilities=[float(value) for value in one.probabilities],
            attribution=one.attribution,
        )

    def class_name(self, label: int) -> str:
        """A class in words."""
        return self.classes[label].replace('_', ' ') if label >= 0 else 'no class'

    def _class(self, label: int) -> dict:
        return dict(index=label, name=self.classes[label] if label >= 0 else None)

    def _evidence(self, evidence: ClassEvidence, gallery: Gallery) -> dict:
        return {
            'class': self._class(evidence.label),
            'logit': evidence.logit,
            'probability': evidence.probability,
            'matches': [self._match(match, gallery) for match in evidence.matches],
            'points_of_the_rest': evidence.rest,
        }

    def _match(self, match: Match, gallery: Gallery) -> dict:
        sides = ('top', 'bottom', 'left', 'right')
        return {
            'prototype': match.prototype,
            'class': self._class(match.label),
            'similarity': match.similarity,
            'weight': match.weight,
            'points': match.points,
            'location': match.location,
            'box': dict(zip(sides, self.box(match))),
            'training_image': gallery.path(match.prototype),
        }
