from itertools import combinations

import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS

from mmproto.analysis.dataset_scores import ScoredDataset, survey
from mmproto.analysis.latent_map import (
    latent_map,
    nearest_points,
    on_a_plane,
    winning_patches,
    winning_prototypes,
)
from tests.toy import ArrayDataset, model_config


def build(**changes):
    torch.manual_seed(0)
    return MODELS.build(model_config(**changes)).eval()


def look(model, **dataset):
    dataset = ArrayDataset(**dataset)
    return ScoredDataset(dataset, survey(model, dataset, batch_size=4))


@pytest.fixture
def splits():
    model = build()
    return model, dict(train=look(model, count=11), test=look(model, seed=1, count=7))


def test_an_image_goes_to_the_best_prototype_of_its_class():
    model = build()
    model.head.prune(torch.tensor([True, True, True, True, False, False]))  # class 2 has none
    one = look(model, count=9).survey
    winners = winning_prototypes(one, model.head.prototype_class.numpy())
    for i, scores in enumerate(one.score):
        own = [j for j in range(4) if j // 2 == i % 3] or range(4)
        assert winners[i] == max(own, key=lambda j: scores[j])


@torch.no_grad()
@pytest.mark.parametrize('changes', [{}, dict(prototype_size=2)])
def test_patches_are_those_that_scored(changes):
    model = build(**changes)
    one = look(model, count=8)
    patches, patches_seen = winning_patches(model, one, [2, 3, 7], 'test', batch_size=2)
    winners = winning_prototypes(one.survey, model.head.prototype_class.numpy())
    assert [(seen.split, seen.image, seen.label) for seen in patches_seen] == [
        ('test', 2, 2), ('test', 3, 0), ('test', 7, 1)
    ]  # fmt: skip
    for patch, seen in zip(patches, patches_seen):
        vector = model.head.prototype_vectors[winners[seen.image]].flatten()
        similarity = model.head.similarity
        distance = similarity.distance(torch.from_numpy(patch), vector)
        assert float(similarity.score(distance)) == pytest.approx(seen.similarity, abs=1e-5)
        assert seen.similarity == one.survey.score[seen.image, winners[seen.image]]


def test_the_map_has_the_prototypes_first_and_is_the_same_again(splits):
    model, splits = splits
    found = latent_map(model, splits, batch_size=4, sample=13)
    assert found.position.shape == (6 + 13, 2)
    assert np.isfinite(found.position).all()
    assert found.label.tolist() == [0, 0, 1, 1, 2, 2, *(seen.label for seen in found.sighting)]
    assert len({(seen.split, seen.image) for seen in found.sighting}) == 13
    assert {seen.split for seen in found.sighting} == {'train', 'test'}
    again = latent_map(model, splits, batch_size=4, sample=13)
    assert np.allclose(again.position, found.position)
    assert again.sighting == found.sighting
    other = latent_map(model, splits, batch_size=4, sample=13, seed=1)
    assert [seen.image for seen in other.sighting] != [seen.image for seen in found.sighting]


def test_all_images_are_taken_if_there_are_few(splits):
    model, splits = splits
    found = latent_map(model, dict(test=splits['test']), batch_size=4)
    assert [seen.image for seen in found.sighting] == list(range(7))


def test_neighbours_are_those_of_the_latent_space():
    points = np.random.default_rng(0).normal(size=(12, 5))
    for i, neighbours in enumerate(nearest_points(points, 4)):
        distances = np.square(points - points[i]).sum(axis=1)
        ranked = sorted((j for j in range(12) if j != i), key=lambda j: distances[j])
        assert neighbours.tolist() == ranked[:4]
    assert nearest_points(points[:3], 4).shape == (3, 2)


@pytest.mark.parametrize(('count', 'dimensions'), [(3, 8), (5, 2), (40, 64), (9, 1)])
def test_few_points_and_equal_points_have_a_place(count, dimensions):
    points = np.random.default_rng(0).normal(size=(count, dimensions)).astype(np.float32)
    for given in (points, np.ones_like(points)):
        position, method = on_a_plane(given, seed=0)
        assert position.shape == (count, 2)
        assert np.isfinite(position).all()
        assert method.startswith(f'PCA to {min(count, dimensions, 50)} dimensions, then t-SNE')


def test_clusters_stay_apart():
    rng = np.random.default_rng(0)
    centres = np.repeat(10 * np.eye(3, 20), 15, axis=0)
    position, _ = on_a_plane(centres + rng.normal(size=centres.shape), seed=0)
    groups = position.reshape(3, 15, 2)
    spread = max(np.ptp(group, axis=0).max() for group in groups)
    apart = [np.linalg.norm(a.mean(0) - b.mean(0)) for a, b in combinations(groups, 2)]
    assert min(apart) > 2 * spread
