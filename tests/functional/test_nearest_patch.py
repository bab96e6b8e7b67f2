import pytest
import torch

from mmproto.functional import NearestPatches, nearest_patches


def nearest_by_loop(features, labels, prototypes, classes):
    """(image, row, column) of each prototype's nearest patch, the first of equals."""
    h, w = prototypes.shape[-2:]
    found = []
    for vector, label in zip(prototypes, classes.tolist()):
        best = None
        for image in range(len(features)):
            if label not in (-1, int(labels[image])):
                continue
            for row in range(features.shape[2] - h + 1):
                for column in range(features.shape[3] - w + 1):
                    patch = features[image, :, row : row + h, column : column + w]
                    distance = (patch - vector).double().square().sum()
                    if best is None or distance < best[0]:
                        best = (distance, image, row, column)
        found.append(best[1:])
    return found


@pytest.mark.parametrize('size', [(1, 1), (2, 1)])
@pytest.mark.parametrize('agnostic', [False, True])
def test_equals_a_plain_loop_however_the_batches_are_cut(size, agnostic):
    torch.manual_seed(0)
    features, labels = torch.rand(9, 3, 4, 5), torch.arange(9) % 3
    prototypes, classes = torch.rand(6, 3, *size), torch.arange(6) // 2
    if agnostic:
        classes = torch.full((6,), -1)
    whole = nearest_patches(features, labels, torch.arange(9), prototypes, classes)
    columns = 5 - size[1] + 1
    location = torch.stack([whole.image, whole.location // columns, whole.location % columns], 1)
    expected = nearest_by_loop(features, labels, prototypes, classes)
    assert location.tolist() == [list(entry) for entry in expected]
    for vector, (image, row, column) in zip(whole.vector, expected):
        patch = features[image, :, row : row + size[0], column : column + size[1]]
        assert torch.equal(vector, patch)
    torch.testing.assert_close(whole.distance_map.flatten(1).amin(1), whole.distance)

    parts = [
        nearest_patches(features[i], labels[i], torch.tensor(i), prototypes, classes)
        for i in ([6, 7, 8], [0, 4], [1, 2, 3, 5])
    ]
    merged = NearestPatches.merge_all(parts)
    for name in ('distance', 'image', 'location', 'vector', 'distance_map'):
        assert torch.equal(getattr(merged, name), getattr(whole, name)), name


def test_on_a_tie_the_first_image_and_the_first_patch_win():
    features = torch.zeros(4, 2, 2, 3)
    features[1:, :, 1, 1] = features[1:, :, 1, 2] = 1  # two equal patches in three images
    prototypes, classes = torch.ones(1, 2, 1, 1), torch.tensor([0])
    labels = torch.zeros(4, dtype=torch.long)
    whole = nearest_patches(features, labels, torch.arange(4), prototypes, classes)
    assert (int(whole.image), int(whole.location)) == (1, 4)
    parts = [
        nearest_patches(features[i : i + 1], labels[:1], torch.tensor([i]), prototypes, classes)
        for i in (3, 1, 2)
    ]
    for order in (parts, parts[::-1]):
        merged = NearestPatches.merge_all(order)
        assert (int(merged.image), int(merged.location)) == (1, 4)


def test_a_class_without_an_image_is_infinitely_far():
    found = nearest_patches(
        torch.rand(2, 2, 1, 1),
        torch.tensor([0, 0]),
        torch.arange(2),
        torch.rand(2, 2, 1, 1),
        torch.tensor([0, 1]),
    )
    assert found.distance.isinf().tolist() == [False, True]
