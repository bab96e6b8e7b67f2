from collections.abc import Sequence
from typing import Any

import numpy as np

from mmproto.datasets.interventions import class_variants
from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.figure import Figure, Measure, Rows, mean_estimate
from mmproto.evaluation.figures.pointed_parts import elsewhere, pointed_at
from mmproto.evaluation.measures.funnybirds import (
    controlled_synthetic_data_check,
    deletion_check,
    preservation_check,
    target_sensitivity,
)
from mmproto.evaluation.measures.part_areas import part_areas, part_importances
from mmproto.evaluation.measures.part_sets import contrasting_classes, sufficient_sets
from mmproto.evaluation.network_probe import NetworkProbe
from mmproto.models import ProtoPNet

UNKNOWN = (float('nan'), float('nan'))


class PartSets(Measure):
    """Whether the parts that an explanation points at are enough for the class, and needed.

    FunnyBirds' checks of several parts at once, see
    :mod:`mmproto.evaluation.measures.funnybirds`, each also of the same boxes at random places.
    All but the controlled synthetic data check look at the images that were drawn without every
    set of parts.
    """

    name = 'part_sets'
    needs = 'part_sets'

    def begin(self, model: ProtoPNet, dataset: Any) -> None:
        """Find what tells the classes apart."""
        self.head = model.head
        self.prototype_class = model.head.prototype_class.cpu().numpy()
        self.weight = model.head.last_layer_weight.cpu().numpy()
        self.variants = class_variants(dataset)
        labels = range(len(self.variants))
        self.sufficient = [sufficient_sets(self.variants, label) for label in labels]
        self.contrasting = [contrasting_classes(self.variants, label) for label in labels]

    def look(self, images: Sequence[ExplainedImage], network: NetworkProbe) -> list[dict[str, Any]]:
        """Keep of each image what came of each check, and what would by chance."""
        rows = []
        for image in images:
            row: dict[str, Any] = dict(
                synthetic=self._synthetic(image),
                preserved=UNKNOWN,
                deleted=UNKNOWN,
                sensitive=UNKNOWN,
                pointed=UNKNOWN,
            )
            if _changed(image).without_set is not None:
                row |= self._checks(image, network)
            rows.append(row)
        return rows

    def _boxes(self, image: ExplainedImage, label: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the boxes of a class's prototypes (p, 4), and the same at random places."""
        boxes = image.boxes(self.head, np.flatnonzero(self.prototype_class == label).tolist())
        return boxes, elsewhere(image, boxes, label)

    def _pointed_at(self, image: ExplainedImage, label: int) -> np.ndarray:
        """Return the parts that the boxes of a class point at, and by chance (2, parts)."""
        parts, changed = self.variants.shape[1], _changed(image)
        return np.stack([pointed_at(changed, one, parts) for one in self._boxes(image, label)])

    def _synthetic(self, image: ExplainedImage) -> tuple[float, float]:
        if image.predicted != image.label:
            return UNKNOWN
        pointed, label = self._pointed_at(image, image.label), np.full(2, image.label)
        ours, chance = controlled_synthetic_data_check(pointed, label, self.sufficient)
        return float(ours), float(chance)

    def _checks(self, image: ExplainedImage, network: NetworkProbe) -> dict[str, Any]:
        """Return what preservation, deletion and target sensitivity came to, and by chance."""
        pointed = self._pointed_at(image, image.predicted)
        pair = list(self.contrasting[image.label] or ())
        shared = self.variants[pair] == self.variants[image.label]
        changed = _logits(image, network, np.concatenate([~pointed, pointed, shared]))
        kept, deleted, without = changed[:2], changed[2:4], changed[4:]
        before = np.stack([image.logits] * 2)
        return dict(
            preserved=tuple(preservation_check(before, kept)),
            deleted=tuple(deletion_check(before, deleted)),
            pointed=tuple(pointed.mean(axis=1)),
            sensitive=self._sensitive(image, pair, shared, without) if pair else UNKNOWN,
        )

    def _sensitive(
        self, image: ExplainedImage, pair: list[int], shared: np.ndarray, logits: np.ndarray
    ) -> tuple[float, float]:
        importance = np.stack([self._importances(image, label) for label in pair], axis=1)
        both, without = np.stack([shared] * 2), np.stack([logits[:, pair]] * 2)
        ours, chance = target_sensitivity(importance, both, without)
        return float(ours), float(chance)

    def _importances(self, image: ExplainedImage, label: int) -> np.ndarray:
        """Return the importances of the parts for a class, and by chance (2, parts)."""
        own = self.prototype_class == label
        points = (image.scores * self.weight[label])[own]
        masks = np.stack([_changed(image).part_mask] * 2)
        areas = part_areas(masks, np.stack(self._boxes(image, label)), self.variants.shape[1])
        return part_importances(areas, np.stack([points] * 2))

    def figures(self, rows: Rows, prototype_class: np.ndarray) -> list[Figure]:
        """Return the four checks, and how many parts are pointed at."""
        return [
            _figure(
                rows, 'synthetic', 'controlled_synthetic_data_check',
                'Controlled synthetic data check',
                'How much of a set of parts that is enough to know the species the boxes cover, '
                'by half a part each. Boxes that cover the whole bird cover every set.',
            ),
            _figure(
                rows, 'preserved', 'preservation_check', 'Preservation check',
                'How often the prediction stays when only the parts under the boxes are left. '
                'Boxes over all parts leave the image as it is, and prove nothing.',
            ),
            _figure(
                rows, 'deleted', 'deletion_check', 'Deletion check',
                'How often the prediction changes when the parts under the boxes are gone. The '
                'more parts are under boxes, the less of the bird is left to go by.',
            ),
            _figure(
                rows, 'sensitive', 'target_sensitivity', 'Target sensitivity',
                'Whether explanations of two other species point at what the bird shares with '
                'each, one half for each that does. Boxes elsewhere still know the scores.',
            ),
            _figure(
                rows, 'pointed', 'parts_pointed_at', 'Parts that the boxes point at',
                'The share of the parts that boxes cover half of: what the checks above, which '
                'more and larger boxes make higher, have to be read by.', higher_is_better=False,
            ),
        ]  # fmt: skip


def _changed(image: ExplainedImage) -> Any:
    """Return its interventions, which it has where this is measured."""
    return image.changed


def _logits(image: ExplainedImage, network: NetworkProbe, removed: np.ndarray) -> np.ndarray:
    """Return the logits (n, classes) of an image without sets of parts (n, parts)."""
    without = _changed(image).without_set
    pictures = [without(one) if one.any() else image.pixels for one in removed]
    inputs = network.model.data_preprocessor({'inputs': pictures}, training=False)['inputs']
    return network.outputs(inputs).logits.cpu().numpy()


def _figure(
    rows: Rows, key: str, name: str, title: str, meaning: str, higher_is_better: bool = True
) -> Figure:
    """Return the mean over the images, beside the same boxes at random places."""
    ours, chance = np.array([row[key] for row in rows], float).T
    return Figure(
        name=name,
        title=title,
        estimate=mean_estimate(ours),
        chance={'boxes elsewhere': mean_estimate(chance).value},
        meaning=meaning,
        higher_is_better=higher_is_better,
    )
