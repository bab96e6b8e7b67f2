"""A test image with all that its explanation shows, ready to be measured."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from mmproto.datasets.annotated_parts import part_names, parts_in_input
from mmproto.datasets.geometry import image_geometry
from mmproto.datasets.interventions import (
    Interventions,
    has_interventions,
    has_part_sets,
    interventions,
)
from mmproto.datasets.object_masks import has_masks, mask_in_input
from mmproto.evaluation.network_probe import NetworkProbe
from mmproto.explanation.high_activation import cell_centre, find_box, upsample
from mmproto.functional import Box


@dataclass(frozen=True)
class ExplainedImage:
    """A test image, what the head computed of it, and what is annotated on it.

    Attributes:
        number: Index in the data set.
        label: Its class.
        pixels: The image as the data set gives it, uint8 (C, H, W).
        input: The normalised image (C, H, W).
        logits: Logit of every class (K,).
        scores: Score of every prototype (P,).
        locations: Row and column of each one's nearest patch (P, 2).
        own: The prototypes of its class, in order.
        shown: The prototypes of the predicted class, the highest score first.
        maps: Similarity map of every prototype (P, H', W').
        parts: y and x of every part in the network's input (num_parts, 2), NaN for hidden ones;
            None if the data set has none.
        mask: Which pixels are the object, bool (H, W); None if the data set has no masks.
        changed: The image with parts or background changed; None if the data set has none such.
    """

    number: int
    label: int
    pixels: Tensor = field(repr=False)
    input: Tensor = field(repr=False)
    logits: np.ndarray = field(repr=False)
    scores: np.ndarray = field(repr=False)
    locations: np.ndarray = field(repr=False)
    own: list[int]
    shown: list[int]
    maps: np.ndarray = field(repr=False)
    parts: np.ndarray | None = field(repr=False)
    mask: np.ndarray | None = field(repr=False)
    changed: Interventions | None = field(repr=False)
    _upsampled: dict[int, np.ndarray] = field(init=False, repr=False, default_factory=dict)

    @property
    def predicted(self) -> int:
        """The class with the highest logit, the first of equals."""
        return int(self.logits.argmax())

    @property
    def highest(self) -> int:
        """The prototype with the highest score, the first of equals."""
        return int(self.scores.argmax())

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        return self.input.shape[-2], self.input.shape[-1]

    @property
    def grid(self) -> tuple[int, int]:
        """Height and width of the similarity maps."""
        return self.maps.shape[1], self.maps.shape[2]

    def activation(self, prototype: int) -> np.ndarray:
        """Return a similarity map, upsampled to the network's input (H, W); made once."""
        if prototype not in self._upsampled:
            self._upsampled[prototype] = upsample(self.maps[prototype], self.size)
        return self._upsampled[prototype]

    def box(self, head: Any, prototype: int) -> Box:
        """Return the box that an explanation shows of a prototype."""
        point = cell_centre(self.locations[prototype], self.grid, self.size)
        return find_box(head, self.activation(prototype), point)

    def boxes(self, head: Any, prototypes: Iterable[int]) -> np.ndarray:
        """Return the boxes of some prototypes (p, 4)."""
        return np.array([self.box(head, j) for j in prototypes], int).reshape(-1, 4)


def annotations(dataset: Any) -> set[str]:
    """Return which of 'parts', 'masks', 'interventions' and 'part_sets' a data set has."""
    known = {
        'parts': part_names(dataset) is not None,
        'masks': has_masks(dataset),
        'interventions': has_interventions(dataset),
        'part_sets': has_part_sets(dataset),
    }
    return {name for name, there in known.items() if there}


def explained_images(
    network: NetworkProbe,
    pixels: Sequence[Tensor],
    inputs: Tensor,
    numbers: Sequence[int],
    labels: Sequence[int],
    dataset: Any,
    known: set[str],
) -> list[ExplainedImage]:
    """Send images through the network, and look up what is annotated on them.

    Args:
        network: The network.
        pixels: The images as the data set gives them, uint8 (C, H, W) each.
        inputs: The same, normalised (N, C, H, W).
        numbers: Their indices in the data set.
        labels: Their classes.
        dataset: The data set.
        known: Which annotations it has, see :func:`annotations`.
    """
    outputs = network.outputs(inputs)
    prototype_class = outputs.prototype_class.cpu().numpy()
    arrays = (outputs.logits, outputs.scores, outputs.locations)
    rows = zip(*(array.cpu().numpy() for array in arrays))
    result = []
    for place, (logits, scores, locations) in enumerate(rows):
        own = np.flatnonzero(prototype_class == labels[place]).tolist()
        of_predicted = np.flatnonzero(prototype_class == logits.argmax())
        order = np.argsort(-scores[of_predicted], kind='stable')
        shown = of_predicted[order].tolist()
        number = numbers[place]
        # Decodes the image once more, for all that is annotated on it.
        at: Any = image_geometry(dataset, number) if known else None
        result.append(
            ExplainedImage(
                number=number,
                label=labels[place],
                pixels=pixels[place],
                input=inputs[place],
                logits=logits,
                scores=scores,
                locations=locations,
                own=own,
                shown=shown,
                maps=network.similarity_maps(outputs.feature_map[place]).cpu().numpy(),
                parts=parts_in_input(dataset, number, at) if 'parts' in known else None,
                mask=mask_in_input(dataset, number, at) if 'masks' in known else None,
                changed=interventions(dataset, number, at) if 'interventions' in known else None,
            )
        )
    return result
