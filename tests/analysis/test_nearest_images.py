import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmproto.analysis.nearest_images import NO_IMAGE, NearestImages

SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 4))
SCORES = arrays(np.float32, SHAPES, elements=st.sampled_from([-np.inf, -1, 0, 0.5, 2]))


def met(scores, batches, k):
    """What is kept of the images of some batches."""
    nearest = NearestImages(scores.shape[1], k)
    for images in batches:
        nearest.update(torch.from_numpy(scores[images]), torch.tensor(images))
    return nearest


def by_sorting(scores, k):
    return [
        sorted(range(len(scores)), key=lambda i: (-scores[i, j], i))[:k]
        for j in range(scores.shape[1])
    ]


@given(SCORES, st.integers(1, 9), st.data())
def test_it_keeps_what_sorting_all_images_would(scores, k, data):
    order = data.draw(st.permutations(range(len(scores))))
    size = data.draw(st.integers(1, len(scores)))
    batches = [order[i : i + size] for i in range(0, len(order), size)]
    split = data.draw(st.integers(0, len(batches)))
    one_process = met(scores, batches, k)
    two_processes = met(scores, batches[:split], k)
    two_processes.merge(met(scores, batches[split:], k))
    expected = by_sorting(scores, k)
    for nearest in (one_process, two_processes):
        assert nearest.scores.shape == nearest.images.shape == (scores.shape[1], k)
        for j, images in enumerate(expected):
            assert nearest.images_of(j) == images
            assert nearest.images[j, len(images) :].tolist() == [NO_IMAGE] * (k - len(images))
            assert nearest.scores[j, : len(images)].tolist() == scores[images, j].tolist()
            assert nearest.scores[j, len(images) :].tolist() == [-np.inf] * (k - len(images))


@given(SCORES, st.integers(1, 9))
def test_pairs_are_found_from_either_side(scores, k):
    nearest = met(scores, [list(range(len(scores)))], k)
    pairs = {(i, j) for j, images in enumerate(by_sorting(scores, k)) for i in images}
    assert set(nearest.pairs()) == pairs
    assert len(nearest.pairs()) == len(pairs)
    for image in range(len(scores)):
        assert nearest.prototypes_of(image) == sorted(j for i, j in pairs if i == image)


def test_what_it_holds_does_not_grow():
    nearest = NearestImages(prototypes=3, k=2)
    for image in range(50):
        nearest.update(torch.rand(1, 3), torch.tensor([image]))
    assert nearest.scores.untyped_storage().nbytes() == 3 * 2 * 4
    assert nearest.images.untyped_storage().nbytes() == 3 * 2 * 8
