from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mmproto.datasets.geometry import Geometry, scaled_box
from mmproto.explanation.effective_field import EffectiveField
from mmproto.explanation.prediction_explanation import PredictionExplanation
from mmproto.explanation.prototype_match import PrototypeMatch
from mmproto.functional import Box


@dataclass(frozen=True)
class ImageExplanation:
    """An image with the explanation of its prediction, in the image's own pixels.

    Attributes:
        name: What to call it; unique among the images explained together.
        path: Its file, None for an array.
        image: The original image, or a smaller copy, (height, width, 3), uint8, BGR.
        geometry: Where in the original the network's input comes from.
        prediction: Why the network predicts what it does.
        fields: The effective receptive fields, by the prototype's number, of the matches that they
            were measured of.
        true_class: Its true class, None where the data set does not know it.
        classes: Names of the classes.
    """

    name: str
    path: str | None
    image: np.ndarray
    geometry: Geometry
    prediction: PredictionExplanation
    fields: Mapping[int, EffectiveField]
    true_class: int | None
    classes: list[str]

    def box(self, match: PrototypeMatch) -> Box:
        """Return the box of a match in the original image."""
        return self.geometry.to_original(match.box)

    def cell(self, match: PrototypeMatch) -> Box:
        """Return the cells of a match in the original image."""
        return self.geometry.to_original(match.cell)

    def box_in(self, image: np.ndarray, match: PrototypeMatch) -> Box:
        """Return the box of a match in ``image``, a copy of the original of any size."""
        return scaled_box(self.box(match), self.geometry.size, image.shape[:2])

    def cell_in(self, image: np.ndarray, match: PrototypeMatch) -> Box:
        """Return the cells of a match in ``image``, a copy of the original of any size."""
        return scaled_box(self.cell(match), self.geometry.size, image.shape[:2])

    @property
    def predicted(self) -> str:
        """The predicted classes in words."""
        names = map(self.class_name, self.prediction.predicted)
        return ', '.join(names) or 'none of the classes'

    @property
    def verdict(self) -> str:
        """The predicted classes with their probabilities; of none, that of the likeliest."""
        label, predicted = self.prediction.label, self.prediction.predicted
        said = [
            f'{self.class_name(one)} ({float(self.prediction.probabilities[one]):.1%})'
            for one in predicted or [label]
        ]
        return ', '.join(said) if predicted else f'{self.predicted}, not even {said[0]}'

    def class_name(self, label: int) -> str:
        """Return a class in words."""
        return self.classes[label].replace('_', ' ') if label >= 0 else 'no class'
