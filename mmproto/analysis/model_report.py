"""What a report of a whole model says, as plain data."""

from dataclasses import dataclass

import numpy as np

from mmproto.analysis.checks import Check
from mmproto.analysis.editable_model import EditableModel
from mmproto.analysis.firing import fires_among
from mmproto.analysis.latent_map import LatentMap
from mmproto.analysis.prototype_statistics import PrototypeStatistics
from mmproto.engine.push_record import PushRecord
from mmproto.evaluation.figure import Figure
from mmproto.explanation.image_explanation import ImageExplanation


@dataclass(frozen=True)
class ModelReport:
    """All that the page shows.

    Attributes:
        config: Name of the config.
        checkpoint: Name of the checkpoint.
        classes: Name of every class.
        confusion_matrix: Test images by true class (rows) and predicted class (K, K).
        prototypes: Every prototype.
        correct: Explained test images that were classified correctly.
        mistakes: Explained test images that were not, the most confident mistake first.
        test_images: Index in the test set of every explained image, by its name.
        by_attribution: The explained images by another attribution, by their names; empty if none.
        pushes: Every push that left its record, in order.
        figures: Whether the explanations are true, beside what chance gives.
        figure_images: Of how many test images those are.
        latent_map: The map of the latent space.
        editable: What the page needs to follow edits of the model.
        checks: Which checks of the prototypes could be made.
        highest_score: What a prototype scores on a patch that equals it.
        warning: What has to be said first of all, None if nothing.
        origin: Where the images of the prototypes come from, in words.
    """

    config: str
    checkpoint: str
    classes: list[str]
    confusion_matrix: np.ndarray
    prototypes: list[PrototypeStatistics]
    correct: list[ImageExplanation]
    mistakes: list[ImageExplanation]
    test_images: dict[str, int]
    by_attribution: dict[str, ImageExplanation]
    pushes: list[PushRecord]
    figures: list[Figure]
    figure_images: int
    latent_map: LatentMap
    editable: EditableModel
    checks: list[Check]
    highest_score: float
    warning: str | None
    origin: str

    @property
    def fires_among(self) -> int:
        """Among how many of an image's highest-scoring prototypes one is said to fire."""
        return fires_among(len(self.prototypes), len(self.classes))

    @property
    def accuracy(self) -> float:
        """Top-1 accuracy on the test set, a fraction."""
        return float(np.trace(self.confusion_matrix) / max(self.confusion_matrix.sum(), 1))
