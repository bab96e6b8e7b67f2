import pytest
import torch

from mmproto.functional import NearestPatch, nearest_patch, squared_distance, unfold_patches


def search(features, labels, images, prototypes, classes, allowed=None):
    size = prototypes.shape[-2:]
    map_size = features.shape[2] - size[0] + 1, features.shape[3] - size[1] + 1
    patches = unfold_patches(features, size)

    def distance_of(some, own):
        return squared_distance(some[:, None], own)

    return nearest_patch(
        distance_of, patches, map_size, labels, images, prototypes, classes, allowed
    )


def nearest_by_loop(features, labels, prototypes, classes, allowed=None):
    """[image, row, column] of each prototype's nearest patch, the first of equals."""
    h, w = prototypes.shape[-2:]
    found = []
    for vector, label in zip(prototypes, classes.tolist()):
        best = None
        for image in range(len(features)):
            if label not in (-1, int(labels[image])):
                continue
            for row in range(features.shape[2] - h + 1):
                for column in range(features.shape[3] - w + 1):
                    if allowed is not None and not allowed[image, row, column]:
                        continue
                    patch = features[image, :, row : row + h, column : column + w]
                    distance = (patch - vector).double().square().sum()
                    if best is None or distance < best[0]:
                        best = (distance, image, row, column)
        found.append([*best[1:]])
    return found


def places(found):
    return torch.cat([found.image[:, None], found.location], dim=1).tolist()


@pytest.mark.parametrize('size', [(1, 1), (2, 1)])
@pytest.mark.parametrize('agnostic', [False, True])
def test_equals_a_plain_loop_however_the_batches_are_cut(size, agnostic):
    torch.manual_seed(0)
    features, labels = torch.rand(9, 3, 4, 5), torch.arange(9) % 3
    prototypes, classes = torch.rand(6, 3, *size), torch.arange(6) // 2
    if agnostic:
        classes = torch.full((6,), -1)
    whole = search(features, labels, torch.arange(9), prototypes, classes)
    expected = nearest_by_loop(features, labels, prototypes, classes)
    assert places(whole) == expected
    for vector, (image, row, column) in zip(whole.vector, expected):
        patch = features[image, :, row : row + size[0], column : column + size[1]]
        assert torch.equal(vector, patch)
    assert torch.equal(whole.distance_map.flatten(1).amin(1), whole.distance)

    parts = [
        search(features[i], labels[i], torch.tensor(i), prototypes, classes)
        for i in ([6, 7, 8], [0, 4], [1, 2, 3, 5])
    ]
    merged = NearestPatch.merge_all(parts)
    for name in ('distance', 'image', 'location', 'vector', 'distance_map'):
        assert torch.equal(getattr(merged, name), getattr(whole, name)), name


def test_on_a_tie_the_first_image_and_the_first_patch_win():
    features = torch.zeros(4, 2, 2, 3)
    # two equal patches in each of three images
    features[1:, :, 0, 2] = features[1:, :, 1, 1] = 1
    prototypes, classes = torch.ones(1, 2, 1, 1), torch.tensor([0])
    labels = torch.zeros(4, dtype=torch.long)
    whole = search(features, labels, torch.arange(4), prototypes, classes)
    assert places(whole) == [[1, 0, 2]]
    parts = [
        search(features[i : i + 1], labels[:1], torch.tensor([i]), prototypes, classes)
        for i in (3, 1, 2)
    ]
    for order in (parts, parts[::-1]):
        assert places(NearestPatch.merge_all(order)) == [[1, 0, 2]]


def test_of_equal_patches_of_one_image_the_first_wins_the_merge():
    def candidate(row, column):
        return NearestPatch(
            distance=torch.zeros(1),
            image=torch.tensor([3]),
            location=torch.tensor([[row, column]]),
            vector=torch.full((1, 1, 1, 1), float(10 * row + column)),
            distance_map=torch.zeros(1, 2, 2),
        )

    order = [candidate(1, 0), candidate(0, 1), candidate(1, 1), candidate(0, 2)]
    for parts in (order, order[::-1]):
        assert NearestPatch.merge_all(parts).location.tolist() == [[0, 1]]


def test_a_class_without_an_image_is_infinitely_far():
    found = search(
        torch.rand(2, 2, 1, 1),
        torch.tensor([0, 0]),
        torch.arange(2),
        torch.rand(2, 2, 1, 1),
        torch.tensor([0, 1]),
    )
    assert found.distance.isinf().tolist() == [False, True]


@pytest.mark.parametrize('size', [(1, 1), (2, 1)])
def test_what_is_not_allowed_is_never_chosen(size):
    torch.manual_seed(0)
    features, labels = torch.rand(9, 3, 4, 5), torch.arange(9) % 3
    prototypes, classes = torch.rand(7, 3, *size), torch.tensor([0, 0, 1, 1, 2, 2, -1])
    allowed = torch.rand(9, 5 - size[0], 5) < 0.3
    allowed[4] = False
    found = search(features, labels, torch.arange(9), prototypes, classes, allowed.flatten(1))
    assert places(found) == nearest_by_loop(features, labels, prototypes, classes, allowed)
    assert places(found) != nearest_by_loop(features, labels, prototypes, classes)
    # The map peaks at the patch that was chosen, and says a number of every other.
    assert torch.equal(found.distance_map.flatten(1).amin(1), found.distance)
    assert found.distance_map.isfinite().all()


def test_the_one_allowed_patch_is_chosen_even_if_it_is_the_farthest():
    features = torch.tensor([[[[0.0, 1.0, 2.0]]], [[[0.0, 2.0, 2.0]]]])
    allowed = torch.tensor([[False, False, False], [False, False, True]])
    prototypes, classes = torch.zeros(1, 1, 1, 1), torch.tensor([0])
    found = search(features, torch.tensor([0, 0]), torch.arange(2), prototypes, classes, allowed)
    assert places(found) == [[1, 0, 2]]
    allowed[1, 2] = False
    found = search(features, torch.tensor([0, 0]), torch.arange(2), prototypes, classes, allowed)
    assert found.distance.isinf().all()
