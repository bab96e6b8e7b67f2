import numpy as np
import pytest

from mmproto.evaluation.figures.points_explained import PointsExplained
from tests.evaluation.figures.images import classes, explained, rows_of, small_network


def test_points_are_those_of_a_plain_loop():
    network = small_network()
    weight = network.model.head.last_layer.weight.detach().double().numpy()
    images = explained(network, count=9)
    rows = rows_of(images, PointsExplained().look(images, network))
    fraction, accuracy = PointsExplained().figures(rows, classes(network))
    fractions, right = [], []
    for image in images:
        points = weight * image.scores
        own = classes(network) == np.arange(3)[:, None]
        alone = (points * own).sum(axis=1)
        right.append(alone.argmax() == image.label)
        mine = np.abs(points[image.predicted])
        fractions.append(mine[own[image.predicted]].sum() / mine.sum())
    assert fraction.estimate.value == pytest.approx(np.mean(fractions))
    assert accuracy.estimate.value == pytest.approx(np.mean(right))
    model = np.mean([image.predicted == image.label for image in images])
    assert accuracy.chance['the whole model'] == pytest.approx(model)
