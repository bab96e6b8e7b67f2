"""FunnyBirds' checks as the evaluator asks them, beside plain loops over pixels and parts."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from mmproto.datasets.interventions import Interventions
from mmproto.evaluation.figures.interventions import PartInterventions
from mmproto.evaluation.figures.part_sets import PartSets
from mmproto.evaluation.figures.pointed_parts import SHARE, elsewhere, pointed_at
from mmproto.evaluation.measures.part_sets import sufficient_sets
from tests.evaluation.figures.images import classes, explained, rows_of, varied_network

PARTS, COUNT = 6, 40
VARIANTS = np.array([list('aaaaaa'), list('aabbbb'), list('ccaacc')])
# Of class 0 alone there are two others that share two parts each, and not the same ones.
SHARED = np.array([[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0]], bool)


def part_mask(number):
    """Six parts of 4 x 4 pixels somewhere, the background around them."""
    mask = np.full((16, 16), PARTS + 1)
    places = np.random.default_rng(number).permutation(16)[:PARTS]
    for part, place in enumerate(places, 1):
        row, column = 4 * (place // 4), 4 * (place % 4)
        mask[row : row + 4, column : column + 4] = part
    return mask


def with_interventions(image):
    mask = part_mask(image.number)

    def without(removed):
        gone = np.isin(mask, np.flatnonzero(removed) + 1)
        return torch.where(torch.from_numpy(gone), 0, image.pixels)

    each = [without(np.arange(PARTS) == part) for part in range(PARTS)]
    swapped = [
        torch.where(torch.from_numpy(mask == part), 255 - image.pixels, image.pixels)
        for part in range(1, PARTS + 1)
    ]
    background = torch.where(torch.from_numpy(mask > PARTS), 255, image.pixels)
    has_sets = image.number % 5 > 0
    return replace(
        image, changed=Interventions(mask, each, swapped, background, without if has_sets else None)
    )


@pytest.fixture(scope='module', name='network')
def network_fixture():
    return varied_network()


@pytest.fixture(scope='module', name='images')
def images_fixture(network):
    return [with_interventions(image) for image in explained(network, count=COUNT)]


@pytest.fixture(scope='module', name='measure')
def measure_fixture(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp('birds')
    (folder / 'interventions').mkdir()
    names = [f'part{part}' for part in range(PARTS)]
    lines = ''.join(
        f'{label + 1} {name} {variant}\n'
        for label, row in enumerate(VARIANTS)
        for name, variant in zip(names, row)
    )
    (folder / 'interventions/variants.txt').write_text(lines)
    (folder / 'interventions/swapped.txt').write_text(''.join(f'1 {name} x\n' for name in names))
    measure = PartSets()
    measure.begin(network.model, SimpleNamespace(data_root=str(folder)))
    return measure


@pytest.fixture(scope='module', name='rows')
def rows_fixture(images, network, measure):
    return measure.look(images, network)


def logits(network, picture):
    return network.outputs(picture[None].float() / 255).logits[0].numpy()


def boxes_of(image, network, label, chance):
    head = network.model.head
    own = (head.prototype_class == label).nonzero().flatten().tolist()
    boxes = np.array([image.box(head, j) for j in own])
    return own, elsewhere(image, boxes, label) if chance else boxes


def pointed_by_loop(image, boxes):
    covered = np.zeros((16, 16), bool)
    for top, bottom, left, right in boxes:
        covered[top:bottom, left:right] = True
    masks = [image.changed.part_mask == part for part in range(1, PARTS + 2)]
    return np.array([covered[mask].mean() > SHARE for mask in masks])


def test_boxes_elsewhere_are_as_large_and_within_the_image(images, network):
    places = set()
    for image in images:
        _, boxes = boxes_of(image, network, image.label, chance=False)
        _, moved = boxes_of(image, network, image.label, chance=True)
        for ends in (slice(0, 2), slice(2, 4)):
            assert (np.diff(moved[:, ends]) == np.diff(boxes[:, ends])).all()
            assert (moved[:, ends] >= 0).all()
            assert (moved[:, ends] <= 16).all()
        assert not np.array_equal(moved, boxes)
        places.update(map(tuple, moved.tolist()))
    assert len(places) > COUNT


@pytest.mark.parametrize('chance', [False, True])
def test_checks_are_those_of_a_plain_loop(images, rows, network, chance):
    seen = set()
    for image, row in zip(images, rows):
        assert all(np.isnan(row['preserved'])) == (image.number % 5 == 0)
        _, boxes = boxes_of(image, network, image.label, chance)
        pointed = pointed_by_loop(image, boxes)[:PARTS]
        if image.predicted == image.label:
            sets = sufficient_sets(VARIANTS, image.label)
            expected = max((pointed & one).sum() / one.sum() for one in sets)
            assert row['synthetic'][chance] == pytest.approx(expected)
        else:
            assert np.isnan(row['synthetic'][chance])
        if image.changed.without_set is None:
            continue
        _, boxes = boxes_of(image, network, image.predicted, chance)
        pointed = pointed_by_loop(image, boxes)[:PARTS]
        assert row['pointed'][chance] == pytest.approx(pointed.mean())
        predicted = [
            int(logits(network, image.changed.without_set(gone)).argmax())
            for gone in (~pointed, pointed)
        ]
        assert row['preserved'][chance] == (predicted[0] == image.predicted)
        assert row['deleted'][chance] == (predicted[1] != image.predicted)
        seen.add((int(pointed.sum()), row['preserved'][chance], row['deleted'][chance]))
    assert len(seen) > 2


@pytest.mark.parametrize('chance', [False, True])
def test_target_sensitivity_is_that_of_a_plain_loop(images, rows, network, chance):
    values = []
    weight = network.model.head.last_layer.weight.detach().numpy()
    for image, row in zip(images, rows):
        value = row['sensitive'][chance]
        if image.label != 0 or image.changed.without_set is None:
            assert np.isnan(value)
            continue
        importance = np.zeros((2, PARTS))
        for place, label in enumerate((1, 2)):
            for j, (top, bottom, left, right) in zip(*boxes_of(image, network, label, chance)):
                for part in range(PARTS):
                    box = image.changed.part_mask[top:bottom, left:right]
                    area = (box == part + 1).sum()
                    importance[place, part] += area * image.scores[j] * weight[label, j]
        first, second = (
            logits(network, image.changed.without_set(shared))[1:] for shared in SHARED
        )
        if first[0] < second[0] and second[1] < first[1]:
            right = [
                importance[place, SHARED[place]].sum() > importance[1 - place, SHARED[place]].sum()
                for place in (0, 1)
            ]
            assert value == sum(right) / 2
            values.append(value)
        else:
            assert np.isnan(value)
    assert len(values) > 2


def test_figures_are_means_beside_those_of_boxes_elsewhere(images, rows, measure, network):
    figures = {
        figure.name: figure for figure in measure.figures(rows_of(images, rows), classes(network))
    }
    keys = dict(
        controlled_synthetic_data_check='synthetic',
        preservation_check='preserved',
        deletion_check='deleted',
        target_sensitivity='sensitive',
        parts_pointed_at='pointed',
    )
    assert list(figures) == list(keys)
    for name, key in keys.items():
        ours, chance = np.nanmean([row[key] for row in rows], axis=0)
        assert figures[name].estimate.value == pytest.approx(ours)
        assert figures[name].chance['boxes elsewhere'] == pytest.approx(chance)


def fidelity_by_loop(image, network, region, pictures):
    """Of each own prototype: whether the part that fills most of its region lowers it most."""
    drops = [
        image.scores - network.outputs(picture[None].float() / 255).scores[0].numpy()
        for picture in pictures
    ]
    for prototype in image.own:
        top, bottom, left, right = region(prototype)
        inside = image.changed.part_mask[top:bottom, left:right]
        pixels = [(inside == part).sum() for part in range(1, PARTS + 1)]
        if not any(pixels):
            yield np.nan, np.nan
            continue
        of_this = [drop[prototype] for drop in drops]
        most = [drop == max(of_this) and drop > 0 for drop in of_this]
        yield most[np.argmax(pixels)], np.mean(most)


def test_part_fidelity_is_of_box_or_cell_and_of_removal_or_exchange(images, network):
    head = network.model.head
    rows = rows_of(images, PartInterventions().look(images, network))

    def box(image):
        return lambda prototype: image.box(head, prototype)

    def cell(image):
        size = 16 // image.grid[0]
        return lambda prototype: [
            end
            for place in image.locations[prototype]
            for end in (size * place, size * place + size)
        ]

    names = ('part_fidelity', 'part_fidelity_of_cell', 'part_fidelity_by_exchange')
    figures = {one.name: one for one in PartInterventions().figures(rows, classes(network))}
    keys = ('fidelity', 'fidelity_of_cell', 'fidelity_swapped')
    for name, key, region in zip(names, keys, (box, cell, box)):
        means = []
        for image, row in zip(images, rows):
            pictures = image.changed.swapped if 'swapped' in key else image.changed.without
            pairs = np.array([*fidelity_by_loop(image, network, region(image), pictures)], float)
            np.testing.assert_allclose(row[key], pairs.T)
            if not np.isnan(pairs).all():
                means.append(np.nanmean(pairs, axis=0))
        ours, chance = np.mean(means, axis=0)
        assert figures[name].estimate.value == pytest.approx(ours)
        assert figures[name].chance['any part'] == pytest.approx(chance)


def test_single_deletion_ranks_what_boxes_show_by_what_its_removal_costs(images, network):
    rows = PartInterventions().look(images, network)
    weight = network.model.head.last_layer.weight.detach().numpy()
    for image, row in zip(images, rows):
        worth = np.zeros(PARTS)
        for prototype in image.own:
            top, bottom, left, right = image.box(network.model.head, prototype)
            inside = image.changed.part_mask[top:bottom, left:right]
            points = image.scores[prototype] * weight[image.label, prototype]
            worth += [points * (inside == part).sum() for part in range(1, PARTS + 1)]
        costs = [
            image.logits[image.label] - logits(network, picture)[image.label]
            for picture in image.changed.without
        ]
        order = spearmanr(worth, costs).statistic if len({*worth}) > 1 else np.nan
        assert row['single_deletion'] == pytest.approx((1 + order) / 2, nan_ok=True)
        after = logits(network, image.changed.background)[image.label]
        before = image.logits[image.label]
        assert row['background'] == (before - after < 0.05 * abs(before) or after >= before)
    assert {bool(row['background']) for row in rows} == {True, False}


def test_distractibility_counts_the_background_as_a_part(images, network):
    found = PartInterventions().look(images, network)
    for image, row in zip(images, found):
        logit = image.logits[image.label]
        removed = [*image.changed.without, image.changed.background]
        idle = [
            logit - after < 0.05 * abs(logit) or after >= logit
            for after in (logits(network, picture)[image.label] for picture in removed)
        ]
        for value, chance in zip(row['distractibility'], (False, True)):
            _, boxes = boxes_of(image, network, image.label, chance)
            pointed = pointed_by_loop(image, boxes)
            assert np.array_equal(pointed, pointed_at(image.changed, boxes, PARTS + 1))
            if any(idle):
                assert value == pytest.approx(1 - (pointed & idle).sum() / sum(idle))
            else:
                assert np.isnan(value)
    figures = {
        figure.name: figure
        for figure in PartInterventions().figures(rows_of(images, found), classes(network))
    }
    ours = np.nanmean([row['distractibility'][0] for row in found])
    assert figures['distractibility'].estimate.value == pytest.approx(ours)
