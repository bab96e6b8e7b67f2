from collections.abc import Sequence
from typing import Any

import numpy as np

from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.figure import Figure, Measure, Rows, beside_chance
from mmproto.evaluation.figures.noise import outputs_under_noise
from mmproto.evaluation.measures.cell_stability import cell_stability, same_or_adjacent
from mmproto.evaluation.measures.chance_maps import other_of_class
from mmproto.evaluation.network_probe import NetworkProbe


class CellStability(Measure):
    """Whether the cell that scored stays where it is when the image gets a little noise.

    Of the prototypes of the image's class, see
    :mod:`mmproto.evaluation.measures.cell_stability`. Where noise changes the predicted class,
    another explanation is right: such draws do not count.
    """

    name = 'cell_stability'

    def look(self, images: Sequence[ExplainedImage], network: NetworkProbe) -> list[dict[str, Any]]:
        """Keep of each image where its prototypes score, and how often noise leaves them there."""
        noisy, holds = zip(
            *(
                (outputs.locations.cpu().numpy(), held)
                for outputs, held in outputs_under_noise(images, network)
            )
        )
        rows = []
        for image, places, held in zip(images, np.stack(noisy, 1), np.stack(holds, 1)):
            cells = image.locations[image.own]
            stays = cell_stability(cells, places[:, image.own], held)
            rows.append(dict(prototypes=np.array(image.own, int), cells=cells, stays=stays))
        return rows

    def figures(self, rows: Rows, prototype_class: np.ndarray) -> list[Figure]:
        """Return the mean share, beside how often two images of a class have the same cell."""
        other = other_of_class(np.array([row['label'] for row in rows]))
        elsewhere = [
            np.where(index == alone, np.nan, same_or_adjacent(row['cells'], rows[index]['cells']))
            for alone, (row, index) in enumerate(zip(rows, other))
        ]
        return [
            beside_chance(
                rows,
                [(row['stays'], chance) for row, chance in zip(rows, elsewhere)],
                'another image',
                prototype_class,
                name='cell_stability',
                title='Cell stability under noise',
                meaning='How often noise that leaves the class leaves the cell that scored where '
                'it is, or moves it to the next one. A prototype that always points at the same '
                'cell is stable; another image tells.',
            )
        ]
