import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmproto.functional import NearestImages, nearest_images, squared_distance, unfold_patches
from mmproto.functional.nearest_patch import NO_IMAGE

SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 4))
DISTANCES = arrays(np.float32, SHAPES, elements=st.sampled_from([0, 0.5, 1, 2, np.inf, np.nan]))


def place(image, prototype):
    """A row and a column that no other pair has."""
    return [image, prototype]


def met(distances, images, k):
    """What is kept of some images."""
    columns = range(distances.shape[1])
    places = torch.tensor([[place(i, j) for j in columns] for i in images])
    return NearestImages.of_batch(
        torch.from_numpy(distances[images]), torch.tensor(images), places, k
    )


def by_sorting(distances, k):
    """The nearest images of every prototype, by a plain sort."""
    found = []
    for column in distances.T:
        finite = [i for i in range(len(column)) if np.isfinite(column[i])]
        found.append(sorted(finite, key=lambda i: (column[i], i))[:k])
    return found


def assert_same(one, other):
    for name in ('distance', 'image', 'location'):
        assert torch.equal(getattr(one, name), getattr(other, name)), name


@given(DISTANCES, st.integers(1, 9))
def test_it_keeps_what_sorting_all_images_would(distances, k):
    images = list(range(len(distances)))
    nearest = met(distances, images, k)
    assert nearest.distance.shape == nearest.image.shape == (distances.shape[1], k)
    for j, images in enumerate(by_sorting(distances, k)):
        left = k - len(images)
        assert nearest.images_of(j) == images
        assert nearest.image[j].tolist() == images + [NO_IMAGE] * left
        assert nearest.distance[j].tolist() == [*distances[images, j], *[np.inf] * left]
        places = [place(i, j) for i in images]
        assert nearest.location[j].tolist() == places + [[0, 0]] * left


@given(DISTANCES, st.integers(1, 5), st.data())
def test_neither_order_nor_repetition_counts(distances, k, data):
    count = len(distances)
    batch = st.lists(st.integers(0, count - 1), min_size=1, unique=True)
    batches = data.draw(st.lists(batch, max_size=5))
    # Every image is met at least once, some by several.
    batches.append([i for i in range(count) if not any(i in some for some in batches)])
    parts = [met(distances, images, k) for images in batches if images]
    while len(parts) > 1:
        one = parts.pop(data.draw(st.integers(0, len(parts) - 1)))
        other = parts.pop(data.draw(st.integers(0, len(parts) - 1)))
        parts.append(one.merge(other))
    assert_same(parts[0], met(distances, list(range(count)), k))


@given(DISTANCES, st.integers(1, 9))
def test_pairs_are_found_from_either_side(distances, k):
    nearest = met(distances, list(range(len(distances))), k)
    pairs = {(i, j) for j, images in enumerate(by_sorting(distances, k)) for i in images}
    assert set(nearest.pairs()) == pairs
    assert len(nearest.pairs()) == len(pairs)
    for image in range(len(distances)):
        assert nearest.prototypes_of(image) == sorted(j for i, j in pairs if i == image)


def test_classes_are_those_of_the_images():
    distances = np.array([[0.5, 0], [0, 1], [1, 2]], np.float32)
    labels = torch.tensor([7, 8, 9])
    assert met(distances, [0, 1, 2], 2).classes(labels).tolist() == [[8, 7], [7, 8]]
    assert met(distances, [0, 2], 3).classes(labels).tolist() == [[7, 9, -1], [7, 9, -1]]


def test_what_it_holds_does_not_grow():
    nearest = NearestImages.empty(prototypes=3, k=2)
    for image in range(50):
        nearest = nearest.merge(met(np.random.rand(51, 3).astype(np.float32), [image], 2))
    assert nearest.distance.untyped_storage().nbytes() == 3 * 2 * 4
    assert nearest.image.untyped_storage().nbytes() == 3 * 2 * 8
    assert nearest.location.untyped_storage().nbytes() == 3 * 2 * 2 * 8


def test_the_patches_are_those_of_a_plain_loop_however_the_batches_are_cut():
    torch.manual_seed(0)
    features, prototypes = torch.rand(9, 3, 4, 5), torch.rand(6, 3, 2, 1)
    map_size = 3, 5

    def search(images):
        patches = unfold_patches(features[images], (2, 1))
        return nearest_images(
            lambda some, vectors: squared_distance(some[:, None], vectors),
            patches,
            map_size,
            torch.tensor(images),
            prototypes,
            k=4,
        )

    whole = search(list(range(9)))
    assert_same(NearestImages.merge_all(map(search, ([6, 7, 8], [0, 4], [1, 2, 3, 5]))), whole)
    for j, vector in enumerate(prototypes):
        distances = {
            (i, row, column): (features[i, :, row : row + 2, column : column + 1] - vector)
            .square()
            .sum()
            .item()
            for i in range(9)
            for row in range(3)
            for column in range(5)
        }
        best = [
            min((key for key in distances if key[0] == i), key=distances.__getitem__)
            for i in range(9)
        ]
        best = sorted(best, key=distances.__getitem__)[:4]
        assert [
            [i, *where] for i, where in zip(whole.images_of(j), whole.location[j].tolist())
        ] == [list(key) for key in best]
        torch.testing.assert_close(
            whole.distance[j], torch.tensor([distances[key] for key in best])
        )
