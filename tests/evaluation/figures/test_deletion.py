import numpy as np
import pytest
import torch

from mmproto.evaluation.deletion_test import marked_pixels
from mmproto.evaluation.figures.deletion import COVERED, MOST, Deletion
from tests.evaluation.figures.images import (
    classes,
    explained,
    rows_of,
    small_network,
    varied_network,
)


def test_drops_are_those_of_a_plain_loop():
    network = varied_network(prototypes_per_class=[1, 0, 5])
    images = explained(network, count=20)
    assert len({tuple(image.shown[:MOST]) for image in images}) > 2
    found = Deletion().look(images, network)
    for image, row in zip(images, found):
        rng = np.random.default_rng(image.number)
        own = np.flatnonzero(classes(network) == image.predicted)
        shown = sorted(own, key=lambda j: -image.scores[j])[:MOST]
        assert row['prototypes'].tolist() == shown
        for prototype, drop in zip(shown, row['drops'][:, 0]):
            marked = marked_pixels(image.activation(prototype), COVERED, rng)
            rng.integers(16 - 3), rng.integers(16 - 3)  # of the random box
            covered = torch.where(torch.from_numpy(marked), 0.0, image.input)
            after = network.outputs(covered[None]).scores[0, prototype]
            before = image.scores[prototype]
            assert drop == pytest.approx(float((before - after) / abs(before)), abs=1e-6)
    (figure,) = Deletion().figures(rows_of(images, found), classes(network))
    means = [row['drops'][:, 0].mean() for row in found if len(row['drops'])]
    assert figure.estimate.value == pytest.approx(np.mean(means))


def test_a_class_without_prototypes_shows_nothing_to_cover():
    network = small_network(prototypes_per_class=[0, 0, 1])
    network.model.head.last_layer.weight.data = torch.tensor([[1.0], [0.5], [-1.0]])
    images = explained(network, count=3)
    found = Deletion().look(images, network)
    assert [len(row['prototypes']) for row in found] == [0, 0, 0]
    (figure,) = Deletion().figures(rows_of(images, found), classes(network))
    assert np.isnan(figure.estimate.value)
