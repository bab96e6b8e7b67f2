from collections.abc import Sequence
from typing import Any

import numpy as np

from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.figure import (
    Figure,
    Measure,
    Rows,
    beside_chance,
    mean_estimate,
)
from mmproto.evaluation.figures.pointed_parts import elsewhere, pointed_at
from mmproto.evaluation.measures.funnybirds import (
    background_independence,
    distractibility,
    single_deletion,
)
from mmproto.evaluation.measures.part_areas import (
    cell_boxes,
    part_areas,
    part_importances,
    shown_parts,
)
from mmproto.evaluation.measures.part_fidelity import part_fidelity
from mmproto.evaluation.network_probe import NetworkProbe


class PartInterventions(Measure):
    """Whether the part that a prototype shows is the part that its score depends on.

    Of images that were drawn again without a part, with another species' part in its place, and
    before another background, see :mod:`mmproto.datasets.interventions`. Judged are the prototypes
    of the image's class, see :mod:`mmproto.evaluation.measures.part_fidelity` and
    :mod:`mmproto.evaluation.measures.funnybirds`.
    """

    name = 'interventions'
    needs = 'interventions'

    def look(self, images: Sequence[ExplainedImage], network: NetworkProbe) -> list[dict[str, Any]]:
        """Keep of each image what shows of its parts, and what each change costs."""
        head = network.model.head
        weight = head.last_layer_weight.cpu().numpy()
        every: list[Any] = [image.changed for image in images]
        changes = [
            picture
            for changed in every
            for picture in (*changed.without, *changed.swapped, changed.background)
        ]
        inputs = network.model.data_preprocessor({'inputs': changes}, training=False)['inputs']
        outputs = network.outputs(inputs)
        each = len(changes) // len(images)
        scores = outputs.scores.cpu().numpy().reshape(len(images), each, -1)
        logits = outputs.logits.cpu().numpy().reshape(len(images), each, -1)
        return [
            self._of_image(head, image, weight, *found)
            for image, *found in zip(images, scores, logits)
        ]

    @staticmethod
    def _of_image(
        head: Any,
        image: ExplainedImage,
        weight: np.ndarray,
        scores: np.ndarray,
        logits: np.ndarray,
    ) -> dict[str, Any]:
        own, label = image.own, image.label
        changed: Any = image.changed
        parts, mask = len(changed.without), changed.part_mask[None]
        boxes = image.boxes(head, own)
        cells = cell_boxes(image.locations[own][None], image.grid, image.size)
        areas = part_areas(mask, boxes[None], parts)
        before, after = image.scores[own][None], scores[:-1, own]
        without, swapped = after[None, :parts], after[None, parts:]
        of_box, of_cell = (shown_parts(one) for one in (areas, part_areas(mask, cells, parts)))
        importance = part_importances(areas, before * weight[label, own])
        logit = image.logits[label]
        # Without each part, and with another background, which is one more part.
        removed = np.append(logits[:parts, label], logits[-1, label])
        pointed = [
            pointed_at(changed, some, parts + 1) for some in (boxes, elsewhere(image, boxes, label))
        ]
        return dict(
            prototypes=np.array(own, int),
            fidelity=np.concatenate(part_fidelity(of_box, before, without)),
            fidelity_of_cell=np.concatenate(part_fidelity(of_cell, before, without)),
            fidelity_swapped=np.concatenate(part_fidelity(of_box, before, swapped)),
            single_deletion=single_deletion(importance, (logit - logits[:parts, label])[None])[0],
            background=background_independence(logit[None], logits[-1:, label][None])[0],
            distractibility=[
                distractibility(some[None], logit[None], removed[None])[0] for some in pointed
            ],
        )

    def figures(self, rows: Rows, prototype_class: np.ndarray) -> list[Figure]:
        """Return part fidelity, single deletion, background independence, distractibility."""
        return [
            _fidelity(
                rows, 'fidelity', prototype_class, 'part_fidelity', 'Part fidelity',
                'How often the part that fills most of the box is the one whose removal lowers '
                'the score most. A bird without a part is none the network knows.',
            ),
            _fidelity(
                rows, 'fidelity_of_cell', prototype_class, 'part_fidelity_of_cell',
                'Part fidelity, at the cell',
                'The same for the part that fills most of the cell that scored; cells that hold '
                'no part do not count.',
            ),
            _fidelity(
                rows, 'fidelity_swapped', prototype_class, 'part_fidelity_by_exchange',
                'Part fidelity by exchange',
                "The same where another species' part takes the place: a bird as natural as "
                'before, of no species.',
            ),
            Figure(
                name='single_deletion',
                title='Single deletion',
                estimate=mean_estimate([row['single_deletion'] for row in rows]),
                chance={'any order': 0.5},
                meaning="Whether the parts under the boxes rank as their removal lowers the "
                "class's logit (Spearman, from 0 to 1). Large parts fill boxes whatever they say.",
            ),
            Figure(
                name='background_independence',
                title='Background independence',
                estimate=mean_estimate([row['background'] for row in rows]),
                meaning="How often another background lowers the true class's logit by less than "
                '5 %. Whether the class is still right is another question.',
            ),
            Figure(
                name='distractibility',
                title='Distractibility',
                estimate=mean_estimate([row['distractibility'][0] for row in rows]),
                chance={
                    'boxes elsewhere': mean_estimate(
                        [row['distractibility'][1] for row in rows]
                    ).value
                },
                meaning='The share of the parts without which the logit drops by less than 5 % '
                '(the background is one) that the boxes do not cover half of: higher is less '
                'distracted. Small boxes cover nothing, and are never distracted.',
            ),
        ]  # fmt: skip


def _fidelity(
    rows: Rows, key: str, prototype_class: np.ndarray, name: str, title: str, meaning: str
) -> Figure:
    values = [row[key] for row in rows]
    return beside_chance(
        rows, values, 'any part', prototype_class, name=name, title=title, meaning=meaning
    )
