"""Every measure, where classes have different numbers of prototypes and nothing is in sight."""

from dataclasses import replace

import numpy as np
import pytest

from mmproto.datasets.interventions import Interventions
from mmproto.evaluation.figures import BY_DEFAULT, MEASURES
from tests.evaluation.figures.images import classes, explained, rows_of, small_network

# Without a part or an object nothing can be said of them; boxes are as stable as ever.
UNKNOWN = {
    'part_consistency', 'consistent_prototypes', 'part_consistency_of_cell', 'part_purity',
    'on_object', 'part_fidelity', 'part_fidelity_of_cell', 'part_fidelity_by_exchange',
    'single_deletion',
}  # fmt: skip


class Birds(list):
    def __init__(self, images):
        super().__init__(images)
        self.metainfo = dict(part_names=['beak', 'tail'])


def without_anything(image):
    """All parts hidden, the mask empty, and no pixel changed by any intervention."""
    same = [image.pixels] * 2
    background = np.full((16, 16), 3)
    return replace(
        image,
        parts=np.full((2, 2), np.nan),
        mask=np.zeros((16, 16), bool),
        changed=Interventions(background, same, same, image.pixels, None),
    )


@pytest.mark.parametrize('name', [name for name in BY_DEFAULT if name != 'part_sets'])
def test_uneven_classes_without_a_part_or_an_object_in_sight(name):
    network = small_network(prototypes_per_class=[2, 0, 3])
    images = [without_anything(image) for image in explained(network, count=6)]
    measure = MEASURES[name]()
    measure.begin(network.model, Birds(images))
    rows = rows_of(images, measure.look(images, network))
    for figure in measure.figures(rows, classes(network)):
        value, low, high = figure.estimate
        assert np.isnan(value) == (figure.name in UNKNOWN), figure.name
        assert np.isnan(low) or low <= value <= high
        if figure.of_prototypes is not None:
            assert figure.of_prototypes.shape == (5,)
            assert np.isnan(figure.of_prototypes).all() == (np.isnan(value) or value == 0)
