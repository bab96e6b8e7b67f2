from itertools import permutations

import pytest
import torch

from mmproto.functional import (
    NearestPatches,
    different_patches,
    nearest_patches,
    squared_distance,
    unfold_patches,
)
from mmproto.functional.nearest_patch import NO_IMAGE

NAMES = ('distance', 'image', 'location', 'vector', 'distance_map')


def search(features, labels, images, prototypes, classes, k, allowed=None):
    size = prototypes.shape[-2:]
    map_size = features.shape[2] - size[0] + 1, features.shape[3] - size[1] + 1

    def distance_of(some, own):
        return squared_distance(some[:, None], own)

    patches = unfold_patches(features, size)
    return nearest_patches(
        distance_of, patches, map_size, labels, images, prototypes, classes, k, allowed
    )


def birds(classes=2, each=3, count=6, side=2, seed=0):
    """Features of few values, so that distances tie, of images of each class in turn."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randint(0, 3, (count, 2, side, side), generator=generator).float()
    prototypes = torch.randint(0, 3, (classes * each, 2, 1, 1), generator=generator).float()
    labels = torch.arange(count) % classes
    return features, labels, prototypes, torch.arange(classes).repeat_interleave(each)


def ordered_by_loop(features, labels, vector, label, allowed=None):
    """[distance, image, row, column] of all patches of a class, the nearest first."""
    return sorted(
        [float((features[image, :, row, column] - vector.flatten()).square().sum()), image, row,
         column]
        for image in range(len(features)) if label in (-1, int(labels[image]))
        for row in range(features.shape[2]) for column in range(features.shape[3])
        if allowed is None or allowed[image, row, column]
    )  # fmt: skip


def listed(found, prototype):
    columns = (found.distance, found.image, *found.location.unbind(-1))
    return torch.stack([one[prototype].double() for one in columns], dim=-1).tolist()


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('agnostic', [False, True])
def test_the_few_nearest_are_those_of_a_loop_however_the_batches_are_cut(seed, agnostic):
    features, labels, prototypes, classes = birds(count=9, side=3, seed=seed)
    if agnostic:
        classes = torch.full_like(classes, -1)
    numbers = torch.arange(9)
    whole = search(features, labels, numbers, prototypes, classes, 4)
    for j, vector in enumerate(prototypes):
        expected = ordered_by_loop(features, labels, vector, int(classes[j]))[:4]
        assert listed(whole, j) == expected
        for rank, (_, image, row, column) in enumerate(expected):
            assert torch.equal(whole.vector[j, rank].flatten(), features[image, :, row, column])
            of_image = (features[image] - vector).square().sum(0)
            torch.testing.assert_close(whole.distance_map[j, rank], of_image)
    # Two of the images are met twice.
    parts = [
        search(features[i], labels[i], torch.tensor(i), prototypes, classes, 4)
        for i in ([6, 7, 8, 0], [0, 4, 1], [1, 2, 3, 5])
    ]
    for order in (parts, parts[::-1]):
        merged = NearestPatches.merge_all(order)
        for name in NAMES:
            assert torch.equal(getattr(merged, name), getattr(whole, name)), name


@pytest.mark.parametrize('seed', range(8))
def test_the_assignment_is_the_cheapest_of_all(seed):
    features, labels, prototypes, classes = birds(count=4, seed=seed)
    found = search(features, labels, torch.arange(4), prototypes, classes, 3)
    chosen = different_patches(found, classes)
    for label in range(2):
        own = (classes == label).nonzero().flatten().tolist()
        places = [
            (int(chosen.image[j]), *chosen.location[j].tolist(), float(chosen.distance[j]))
            for j in own
        ]
        assert len({place[:3] for place in places}) == len(own)
        tables = [
            {tuple(place): distance for distance, *place in ordered}
            for ordered in (ordered_by_loop(features, labels, prototypes[j], label) for j in own)
        ]
        cheapest = min(
            sum(table[place] for table, place in zip(tables, some))
            for some in permutations(tables[0], len(own))
        )
        assert sum(place[3] for place in places) == cheapest
        for j, (image, row, column, distance), table in zip(own, places, tables):
            assert table[image, row, column] == distance
            assert torch.equal(chosen.vector[j].flatten(), features[image, :, row, column])


def test_equal_prototypes_part():
    features = torch.tensor([0.0, 1, 2, 3]).view(1, 1, 2, 2)
    prototypes, classes = torch.zeros(3, 1, 1, 1), torch.zeros(3, dtype=torch.long)
    found = search(features, torch.tensor([0]), torch.tensor([5]), prototypes, classes, 3)
    chosen = different_patches(found, classes)
    assert sorted(chosen.location.tolist()) == [[0, 0], [0, 1], [1, 0]]
    assert chosen.image.tolist() == [5, 5, 5]


def test_only_the_class_with_too_few_patches_is_lost():
    features, labels, prototypes, classes = birds(count=4)
    allowed = torch.ones(4, 2, 2, dtype=torch.bool)
    allowed[[1, 3]] = False
    allowed[1, 0, 0] = allowed[3, 1, 1] = True
    arguments = (features, labels, torch.arange(4), prototypes, classes)
    chosen = different_patches(search(*arguments, 3, allowed.flatten(1)), classes)
    assert chosen.distance.isfinite().tolist() == [True, True, True, False, False, False]
    allowed[3, 0, 0] = True
    chosen = different_patches(search(*arguments, 3, allowed.flatten(1)), classes)
    places = torch.cat([chosen.image[:, None], chosen.location], dim=1)[3:].tolist()
    assert sorted(places) == [[1, 0, 0], [3, 0, 0], [3, 1, 1]]


def test_what_was_not_met_is_infinitely_far():
    features, labels, prototypes, classes = birds(count=1)
    found = search(features, labels, torch.arange(1), prototypes, classes, 6)
    assert found.distance.isfinite().sum(dim=1).tolist() == [4, 4, 4, 0, 0, 0]
    assert (found.image[found.distance.isinf()] == NO_IMAGE).all()
