from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mmproto.evaluation.deletion_test import marked_pixels, mean_colour, random_box
from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.figure import Figure, Measure, Rows, beside_chance
from mmproto.evaluation.network_probe import NetworkProbe

COVERED = 0.05  # of the image: what the paper's boxes are drawn around
MOST = 3  # prototypes of an image


class Deletion(Measure):
    """How far a score drops when what its map marks is covered, and when a place at random is.

    The 5 % of the pixels that the map marks most get the data set's mean colour, for the three
    prototypes of the predicted class that score most; beside it a box of that size at a random
    place. See :func:`mmproto.evaluation.deletion_test.relative_drops`.
    """

    name = 'deletion'

    def look(self, images: Sequence[ExplainedImage], network: NetworkProbe) -> list[dict[str, Any]]:
        """Keep of each image the drops of its prototypes."""
        changed, kept = [], []
        for image in images:
            rng = np.random.default_rng(image.number)
            shown = image.shown[:MOST]
            kept.append(shown)
            filler = mean_colour(image.input)
            for prototype in shown:
                marked = marked_pixels(image.activation(prototype), COVERED, rng)
                for mask in (marked, random_box(image.size, COVERED, rng)):
                    part = torch.from_numpy(mask).to(image.input.device)
                    changed.append(torch.where(part, filler, image.input))
        covered: Any = network.outputs(torch.stack(changed)).scores.cpu().numpy() if changed else []
        after = iter(covered)
        rows = []
        for image, shown in zip(images, kept):
            drops = np.empty((len(shown), 2))
            for drop, prototype in zip(drops, shown):
                before = image.scores[prototype]
                drop[:] = [(before - next(after)[prototype]) / abs(before) for _ in drop]
            rows.append(dict(prototypes=np.array(shown, int), drops=drops))
        return rows

    def figures(self, rows: Rows, prototype_class: np.ndarray) -> list[Figure]:
        """Return the mean drop, beside that of random places."""
        return [
            beside_chance(
                rows,
                [row['drops'].T for row in rows],
                'a random place',
                prototype_class,
                name='deletion',
                title='Drop when the marked 5 % are covered',
                meaning='By how much of its size a score drops when what its map marks gets the '
                'mean colour. A covered image is none the network was trained on, so a drop may be '
                'the cover itself: compare with the random place.',
            )
        ]
