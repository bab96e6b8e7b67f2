import gc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmproto.analysis.image_patch import LocatedMap
from mmproto.analysis.score_dataset import score_dataset, winning_prototype
from mmproto.explanation.high_activation import cell_centre, region_box, upsample
from tests.analysis.small_model import small_model
from tests.toy import ArrayDataset


@torch.no_grad()
def by_loops(model, dataset):
    """Scores (N, P), logits (N, K) and maps (N, P, H', W') of images that go through alone."""
    images = [dataset[i]['inputs'] for i in range(len(dataset))]
    feats = [model.extract_feat(image[None] / 255) for image in images]
    scores, logits = (
        np.concatenate([call(one).numpy() for one in feats])
        for call in (model.head.pre_logits, model.head)
    )
    return scores, logits, np.concatenate([model.head.similarity_maps(one) for one in feats])


def check(patch, image, prototype, dataset, scores, maps):
    assert (patch.split, patch.image) == ('train', image)
    assert patch.label == dataset.labels[image]
    assert patch.score == pytest.approx(scores[image, prototype], abs=1e-4)
    similarity_map = maps[image, prototype]
    assert similarity_map[patch.location] == pytest.approx(patch.score, abs=1e-4)
    point = cell_centre(patch.location, similarity_map.shape, (16, 16))
    box = region_box(upsample(similarity_map, (16, 16)), point)
    assert np.abs(np.subtract(patch.box, box)).max() <= 1


@pytest.mark.parametrize('similarity', ['log', 'cosine', 'linear'])
@pytest.mark.parametrize('batch_size', [1, 3, 50])
def test_one_pass_finds_what_plain_loops_find(similarity, batch_size):
    model = small_model(similarity=similarity, prototypes_per_class=5)
    dataset = ArrayDataset(count=8)
    scores, logits, maps = by_loops(model, dataset)
    pairs = {2: [0, 14], 5: [3]}
    found = score_dataset(
        model, dataset, batch_size, 'train', 3, pairs, sample=[1, 2, 6], keep_scores=True
    )
    assert np.allclose(found.scores, scores, atol=1e-4)
    assert found.scores.dtype == np.float32
    for j in range(15):
        own = dataset.labels == j // 5
        means = scores[own, j].mean(), scores[~own, j].mean()
        assert found.mean_scores[:, j] == pytest.approx(means, abs=1e-4)
    assert found.labels.tolist() == dataset.labels.tolist()
    assert np.allclose(found.logits, logits, atol=1e-3)
    ranked = np.argsort(-scores, axis=1, kind='stable')
    assert (found.highest == ranked[:, :10]).all()
    for j, nearest in enumerate(found.nearest):
        by_score = sorted(range(8), key=lambda i: -scores[i, j])
        assert [patch.image for patch in nearest] == by_score[:3]
        for patch in nearest:
            check(patch, patch.image, j, dataset, scores, maps)
    own = {i: [j for j in range(15) if j // 5 == i % 3] for i in range(8)}
    winners = {i: max(own[i], key=lambda j: scores[i, j]) for i in (1, 2, 6)}
    asked = {(2, 0), (2, 14), (5, 3), *winners.items()}
    assert set(found.patches) == asked
    for (i, j), patch in found.patches.items():
        check(patch, i, j, dataset, scores, maps)
    assert found.sample == [found.patches[pair] for pair in winners.items()]
    prototypes = model.head.prototype_vectors.detach().flatten(1)
    for patch, vector, j in zip(found.sample, found.sample_vectors, winners.values(), strict=True):
        distance = model.head.similarity.distance(torch.from_numpy(vector), prototypes[j])
        assert float(model.head.similarity.score(distance)) == pytest.approx(patch.score, abs=1e-4)


def test_no_image_goes_through_the_network_twice():
    model, dataset = small_model(), ArrayDataset(count=11)
    through = []
    model.backbone.register_forward_pre_hook(
        lambda _, inputs: through.extend((255 * inputs[0]).round().to(torch.uint8))
    )
    score_dataset(model, dataset, 4, 'test', pairs={3: [1]}, sample=range(len(dataset)))
    assert len(through) == 11
    for i, inputs in enumerate(through):
        assert torch.equal(inputs, dataset[i]['inputs'])


def test_no_more_maps_are_held_than_those_of_the_nearest():
    class CountingDataset(ArrayDataset):
        held = 0

        def __getitem__(self, index):
            maps = sum(isinstance(one, LocatedMap) for one in gc.get_objects())
            type(self).held = max(self.held, maps)
            return super().__getitem__(index)

    model, dataset = small_model(), CountingDataset(count=60)
    score_dataset(model, dataset, 4, 'test', k=2)
    prototypes = len(model.head.prototype_class)
    assert 0 < dataset.held <= (2 + 1) * prototypes  # the nearest, and the last image's


def test_less_is_asked_for():
    found = score_dataset(small_model(), ArrayDataset(count=2), 4, 'test', k=5)
    assert [len(nearest) for nearest in found.nearest] == [2] * 6
    assert found.highest.shape == (2, 6)
    assert found.patches == {}
    assert found.sample == []
    assert found.scores is None


@given(st.integers(0, 99), st.integers(1, 9), st.integers(0, 3))
def test_an_image_goes_to_the_best_prototype_of_its_class(seed, prototypes, label):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=prototypes).astype(np.float32)
    prototype_class = rng.integers(-1, 3, prototypes)
    own = [j for j in range(prototypes) if prototype_class[j] == label] or range(prototypes)
    assert winning_prototype(scores, label, prototype_class) == max(own, key=lambda j: scores[j])
