"""What holds for every similarity, the shipped ones and one that is made up."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmpretrain.registry import MODELS

from mmproto.errors import InputError
from mmproto.models.similarities import build_similarity
from tests.toy import SIMILARITIES, ManhattanSimilarity


def build(similarity, count=4, channels=5, size=(1, 1), seed=0):
    """A similarity, and prototypes that it allows."""
    built = build_similarity(similarity)
    generator = torch.Generator().manual_seed(seed)
    prototypes = torch.rand(count, channels, *size, generator=generator)
    built.constrain(prototypes)
    return built, prototypes, generator


def by_loop(similarity, features, prototypes):
    """Distances of all patches, one patch and one prototype at a time, in double precision."""
    n, _, height, width = features.shape
    p, _, h, w = prototypes.shape
    out = torch.empty(n, p, height - h + 1, width - w + 1, dtype=torch.float64)
    for i in range(n):
        for j in range(p):
            for row in range(height - h + 1):
                for column in range(width - w + 1):
                    patch = features[i, :, row : row + h, column : column + w].double().flatten()
                    distance = similarity.distance(
                        similarity.embed(patch), prototypes[j].double().flatten()
                    )
                    out[i, j, row, column] = distance
    return out


shapes = st.tuples(
    st.integers(1, 3),  # images
    st.integers(1, 4),  # prototypes
    st.integers(2, 5),  # channels
    st.integers(1, 2),  # prototype height and width
    st.integers(1, 3),
    st.integers(0, 3),  # how much larger the map is
    st.integers(0, 2),
    st.integers(0, 1000),  # seed
)


@pytest.mark.parametrize('similarity', SIMILARITIES)
@settings(deadline=None, max_examples=30)
@given(shapes)
def test_map_nearest_patch_and_a_plain_loop_agree(similarity, shape):
    n, p, d, h, w, more_rows, more_columns, seed = shape
    similarity, prototypes, generator = build(similarity, p, d, (h, w), seed)
    features = torch.rand(n, d, h + more_rows, w + more_columns, generator=generator)
    expected = by_loop(similarity, features, prototypes)
    maps = similarity.distance_maps(features, prototypes)
    torch.testing.assert_close(maps.double(), expected, rtol=1e-5, atol=1e-5)
    distances, locations = similarity.nearest(features, prototypes)
    torch.testing.assert_close(
        distances.double(), expected.flatten(2).amin(2), rtol=1e-5, atol=1e-6
    )
    assert torch.equal(maps.flatten(2).amin(2), distances)
    for i in range(n):
        for j in range(p):
            row, column = locations[i, j].tolist()
            assert maps[i, j, row, column] == distances[i, j]


@pytest.mark.parametrize('size', [(1, 1), (2, 3)])
@pytest.mark.parametrize('similarity', SIMILARITIES)
def test_gradients_equal_a_plain_loop(similarity, size):
    similarity, prototypes, generator = build(similarity, 3, 4, size)
    features = torch.rand(2, 4, 5, 6, generator=generator).requires_grad_()
    prototypes.requires_grad_()
    both = [features, prototypes]
    ours = torch.autograd.grad(similarity.nearest(*both)[0].sum(), both)
    loop = by_loop(similarity, features, prototypes).flatten(2).amin(2)
    expected = torch.autograd.grad(loop.sum(), both)
    if isinstance(similarity, type(build_similarity('cosine'))):
        # of prototypes of unit length: what lengthens them is undone by the constraint
        ours, expected = (
            [gradients[0], _along_the_sphere(gradients[1], prototypes)]
            for gradients in (ours, expected)
        )
    for one, other in zip(ours, expected):
        torch.testing.assert_close(one, other.float(), rtol=1e-4, atol=1e-5)


def _along_the_sphere(gradient, prototypes):
    vectors, gradient = prototypes.detach().flatten(1), gradient.flatten(1)
    return gradient - (gradient * vectors).sum(1, keepdim=True) * vectors


@pytest.mark.parametrize('autocast', [False, True])
@pytest.mark.parametrize('precision', ['highest', 'medium'])
@pytest.mark.parametrize(
    ('similarity', 'most'),
    [('log', math.log(1 / 1e-4)), ('linear', 0), ('cosine', 10), (SIMILARITIES[-1], 1)],
)
def test_a_prototype_that_equals_a_patch_scores_the_most(similarity, most, precision, autocast):
    similarity = build_similarity(similarity)
    torch.manual_seed(0)
    torch.set_float32_matmul_precision(precision)
    try:
        with torch.autocast('cpu', dtype=torch.bfloat16, enabled=autocast):
            conv = torch.nn.Conv2d(3, 128, 1)
            features = conv(torch.rand(4, 3, 7, 7)).sigmoid().detach()
            assert (features.dtype is torch.bfloat16) == autocast
            prototypes = features[1, :, 2:4, 3:5].float()[None]
            similarity.constrain(prototypes)
            distances, locations = similarity.nearest(features, prototypes)
            maps = similarity.distance_maps(features, prototypes)
        assert torch.get_float32_matmul_precision() == precision
    finally:
        torch.set_float32_matmul_precision('highest')
    assert distances.dtype is maps.dtype is torch.float32
    scores = similarity.score(distances)
    assert scores[1].item() == pytest.approx(most, abs=1e-5)
    assert scores[0].item() < scores[1].item() - 1e-3
    assert locations[1, 0].tolist() == [2, 3]
    # the map peaks at the score, to the bit
    assert torch.equal(similarity.score(maps).flatten(2).amax(2), scores)


def test_distances_under_autocast_are_those_without():
    similarity, prototypes, generator = build('log', 20, 64)
    features = torch.rand(2, 64, 7, 7, generator=generator).bfloat16()
    plain = similarity.nearest(features, prototypes)[0]
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(similarity.nearest(features, prototypes)[0], plain)
        assert bool((similarity.distance_maps(features, prototypes) >= 0).all())


@pytest.mark.parametrize('similarity', SIMILARITIES)
def test_many_prototypes_are_compared_block_by_block(similarity, monkeypatch):
    similarity, prototypes, generator = build(similarity, 11, 6)
    features = torch.rand(3, 6, 4, 5, generator=generator)
    whole = similarity.nearest(features, prototypes), similarity.distance_maps(features, prototypes)
    monkeypatch.setattr('mmproto.models.similarities.similarity.NUMBERS', 12)  # two at a time
    cut = similarity.nearest(features, prototypes), similarity.distance_maps(features, prototypes)
    for one, other in zip((*whole[0], whole[1]), (*cut[0], cut[1])):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize('similarity', SIMILARITIES)
def test_what_a_push_finds_is_where_a_prototype_scores_the_most(similarity):
    similarity, prototypes, generator = build(similarity, 6, 5, (2, 1))
    features = torch.rand(7, 5, 4, 4, generator=generator)
    labels, classes = torch.arange(7) % 3, torch.arange(6) // 2
    found = similarity.nearest_of_class(features, labels, torch.arange(7), prototypes, classes)
    maps = by_loop(similarity, features, prototypes)
    maps[labels[:, None] != classes] = float('inf')
    torch.testing.assert_close(found.distance.double(), maps.amin((0, 2, 3)), rtol=1e-5, atol=1e-6)
    for j in range(6):
        row, column = found.location[j].tolist()
        assert maps[found.image[j], j, row, column] == maps[:, j].min()
    # the pushed prototypes are what the similarity asks of a prototype, and score the most
    pushed = found.vector.clone()
    similarity.constrain(pushed)
    torch.testing.assert_close(pushed, found.vector, rtol=0, atol=1e-6)
    distances, locations = similarity.nearest(features, found.vector)
    for j in range(6):
        assert distances[found.image[j], j] == distances[:, j].min() < 1e-6
        assert torch.equal(locations[found.image[j], j], found.location[j])


def test_labels_reach_the_score():
    class Margin(ManhattanSimilarity):
        def score(self, distances, labels=None, prototype_class=None):
            if labels is None:
                return -distances
            return -distances - 0.5 * (labels[:, None] == prototype_class)

    head = MODELS.build(
        dict(type='ProtoPNetHead', num_classes=2, in_channels=3, similarity=Margin())
    )
    feats = (torch.rand(2, 3, 2, 2),)
    labels = torch.tensor([0, 1])
    plain, trained = head.outputs(feats).scores, head.outputs(feats, labels).scores
    margin = 0.5 * (labels[:, None] == head.prototype_class).float()
    torch.testing.assert_close(plain - trained, margin)


def test_the_settings_reach_the_equations():
    assert float(build_similarity(dict(type='LogSimilarity', epsilon=0.1)).score(torch.zeros(1))) \
        == pytest.approx(math.log(10))  # fmt: skip
    assert (
        float(build_similarity(dict(type='CosineSimilarity', scale=3)).score(torch.zeros(1))) == 3
    )


@pytest.mark.parametrize(
    ('similarity', 'message'),
    [
        ('euclid', r"similarity='euclid' is unknown: choose one of \['cosine', 'linear', 'log'\]"),
        (torch.nn.ReLU(), r"similarity\.type='ReLU' is not a registered Similarity"),
        (dict(type='ProtoPNetLoss'), r"similarity\.type='ProtoPNetLoss' is not a registered"),
        (dict(type='LogSimilarity', eps=1), r"similarity\.type='LogSimilarity': .*'eps'"),
        (dict(type='CosineSimilarity', scale=0), r'similarity\.scale=0: give a positive'),
    ],
)
def test_what_is_no_similarity_is_refused(similarity, message):
    with pytest.raises(InputError, match=message):
        build_similarity(similarity)
