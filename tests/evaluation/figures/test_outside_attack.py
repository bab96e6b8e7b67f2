import numpy as np
import pytest
import torch

from mmproto.evaluation.figures.outside_attack import EPSILON, OutsideAttack, attack, outside_box
from mmproto.functional import Box
from tests.evaluation.figures.images import (
    classes,
    explained,
    rows_of,
    small_network,
    varied_network,
)


def test_the_box_and_a_border_stay():
    free = outside_box(Box(0, 40, 100, 150), (224, 224))
    assert not free[:50, 90:160].any()
    assert free.sum() == 224**2 - 50 * 70


def test_an_attack_lowers_the_score_and_leaves_the_box_alone():
    network = small_network()
    images = torch.rand(3, 3, 16, 16)
    prototypes = torch.tensor([0, 3, 5])
    outside = torch.ones(3, 1, 16, 16, dtype=torch.bool)
    outside[:, :, 4:9, 2:7] = False
    attacked = attack(network, images, prototypes, outside, torch.zeros_like(images))
    change = attacked - images
    assert change[:, :, 4:9, 2:7].abs().max() == 0
    assert change.abs().max() <= EPSILON + 1e-6
    rows = torch.arange(3)
    before = network.outputs(images).scores[rows, prototypes]
    after = network.outputs(attacked).scores[rows, prototypes]
    assert (after < before).all()


def test_nothing_can_be_taken_where_the_box_is_the_image():
    network = small_network()
    images = torch.rand(2, 3, 16, 16)
    nowhere = torch.zeros(2, 1, 16, 16, dtype=torch.bool)
    noise = torch.ones_like(images)
    assert torch.equal(attack(network, images, torch.tensor([0, 1]), nowhere, noise), images)


def test_what_is_taken_is_the_share_of_the_highest_score():
    network = varied_network()
    images = explained(network, count=8)
    measure = OutsideAttack()
    measure.begin(network.model, range(8))
    found = measure.look(images, network)
    for image, row in zip(images, found):
        box = image.box(network.model.head, image.highest)
        free = torch.from_numpy(outside_box(box, image.size))[None, None]
        noise = np.random.default_rng(image.number).uniform(-1, 1, image.input.shape)
        begin = torch.from_numpy(noise.astype(np.float32))[None]
        top = torch.tensor([image.highest])
        attacked = attack(network, image.input[None], top, free, begin)
        after = network.outputs(attacked).scores[0, image.highest]
        expected = 1 - float(after) / float(image.scores[image.highest])
        assert row['taken'] == pytest.approx([expected], abs=1e-4)
    taken, accuracy = measure.figures(rows_of(images, found), classes(network))
    assert 0 < taken.estimate.value < 1
    assert taken.estimate.value == pytest.approx(np.mean([row['taken'][0] for row in found]))
    highest = {image.highest for image in images}
    assert len(highest) > 1
    assert {*np.flatnonzero(~np.isnan(taken.of_prototypes))} == highest
    right = np.mean([image.predicted == image.label for image in images])
    assert accuracy.chance['without'] == pytest.approx(right)


def test_attacks_are_spread_over_the_data():
    network = small_network()
    images = explained(network, count=7)
    measure = OutsideAttack(images=3)
    measure.begin(network.model, range(7))
    found = measure.look(images, network)
    assert [bool(row) for row in found] == [True, False, False, True, False, False, True]
