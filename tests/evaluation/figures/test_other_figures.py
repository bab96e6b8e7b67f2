"""The object, sizes and perturbations, where the right figures are known by hand."""

from dataclasses import replace

import numpy as np
import pytest

from mmproto.evaluation.figures.effective_field import EffectiveField
from mmproto.evaluation.figures.explanation_size import ExplanationSize
from mmproto.evaluation.figures.on_object import OnObject
from mmproto.evaluation.figures.perturbation import Perturbation
from mmproto.evaluation.measures.on_object import mask_relevance
from mmproto.explanation.effective_field import patch_fields, share_in
from tests.evaluation.figures.images import (
    classes,
    explained,
    rows_of,
    small_network,
    varied_network,
)


def test_maps_on_and_off_the_object():
    network = small_network()
    mask = np.zeros((16, 16), bool)
    mask[:, :8] = True
    images = [replace(image, mask=mask) for image in explained(network, count=6)]
    left, right = np.zeros((8, 8), np.float32), np.zeros((8, 8), np.float32)
    left[2:5, 0:3], right[2:5, 5:8] = 1, 1
    for where, share in ((left, 1), (right, 0)):
        changed = [replace(one, maps=np.broadcast_to(where, one.maps.shape)) for one in images]
        rows = rows_of(changed, OnObject().look(changed, network))
        (figure,) = OnObject().figures(rows, classes(network))
        assert figure.estimate.value == share
        assert figure.chance['its share of the image'] == 0.5
    nothing = [replace(one, mask=np.zeros((16, 16), bool)) for one in images]
    rows = rows_of(nothing, OnObject().look(nothing, network))
    (figure,) = OnObject().figures(rows, classes(network))
    assert np.isnan(figure.estimate.value)


def test_sizes_are_counted():
    network = small_network()
    head = network.model.head
    head.last_layer.weight.data[:] = 0
    head.last_layer.weight.data[0, :2] = 1
    head.last_layer.weight.data[1, 2] = 0.5
    head.prototype_vectors.data[1] = head.prototype_vectors.data[0]
    measure = ExplanationSize()
    measure.begin(network.model, None)
    images = explained(network)
    rows = rows_of(images, measure.look(images, network))
    figures = {one.name: one.estimate.value for one in measure.figures(rows, classes(network))}
    assert figures['prototypes_used'] == 3
    assert figures['last_layer_sparsity'] == pytest.approx(1 - 3 / 18)
    assert figures['duplicates'] == 1


def test_what_is_outside_of_the_field_of_a_cell_takes_nothing_of_it():
    network = small_network()
    images = explained(network, count=4)
    rows = rows_of(images, Perturbation().look(images, network))
    assert all(len(row['drops']) == 1 for row in rows)
    (figure,) = Perturbation().figures(rows, classes(network))
    assert abs(figure.estimate.value) > abs(figure.chance['outside of it'])


def test_fields_and_places_are_those_of_the_shown_prototypes():
    network = varied_network()
    mask = np.random.default_rng(0).random((16, 16)) > 0.5
    images = [replace(image, mask=mask) for image in explained(network, count=8)]
    assert len({image.predicted for image in images}) > 1
    for image, row in zip(images, OnObject().look(images, network)):
        for share, prototype in zip(row['on_object'], image.shown, strict=True):
            assert share == mask_relevance(image.activation(prototype)[None], mask)[0]
    size = ExplanationSize()
    size.begin(network.model, None)
    fields = EffectiveField().look(images, network)
    kept = zip(images, fields, size.look(images, network), Perturbation().look(images, network))
    for image, field, sizes, perturbed in kept:
        assert perturbed['prototypes'] == image.shown[:1]
        apart = np.diff(image.locations[image.shown], axis=0)
        assert sizes['apart'] == abs(apart).sum()
        for (share, _), prototype in zip(field['shares'], image.shown):
            place = image.locations[prototype]
            (expected,) = patch_fields(network.model, image.input, [prototype], [place]).numpy()
            box = image.box(network.model.head, prototype)
            assert share == pytest.approx(share_in(expected, box), abs=1e-5, nan_ok=True)
    assert (
        sum(np.isnan(row['shares']).any() for row in fields) < 4
    )  # patches of zeros move with nothing


def test_a_box_holds_what_it_covers_of_a_field():
    network = small_network()
    network.model.head.box = 'percentile'
    images = explained(network, count=6)
    whole, corner = np.ones((8, 8)), np.zeros((8, 8))
    corner[0, 0] = 1

    def share(scores, location):
        """In boxes by these maps, of the cell at a location, which sees three pixels a side."""
        changed = [
            replace(
                one,
                maps=np.broadcast_to(scores.astype(np.float32), one.maps.shape),
                locations=np.broadcast_to(location, one.locations.shape),
            )
            for one in images
        ]
        rows = rows_of(changed, EffectiveField().look(changed, network))
        (figure,) = EffectiveField().figures(rows, classes(network))
        return figure.estimate.value, figure.chance["the box's share of the image"]

    network.passes = 0
    assert share(whole, [3, 3]) == (pytest.approx(1), 1)
    assert network.passes == len(images) + sum(len(one.shown) for one in images)
    held, covered = share(corner, [0, 0])
    assert held == pytest.approx(1)
    assert covered < 0.1
    assert share(corner, [7, 7]) == (0, covered)
    nothing = small_network(prototypes_per_class=[2, 3, 0])  # of the class that it predicts
    images = explained(nothing)
    rows = rows_of(images, EffectiveField().look(images, nothing))
    assert [len(row['shares']) for row in rows] == [0] * 5
    assert np.isnan(EffectiveField().figures(rows, classes(nothing))[0].estimate.value)
