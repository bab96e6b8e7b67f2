from itertools import combinations

import numpy as np
import pytest

from mmproto.analysis.latent_map import draw_sample, latent_map, nearest_points, on_a_plane
from mmproto.analysis.score_dataset import score_dataset
from tests.analysis.small_model import small_model
from tests.toy import ArrayDataset

SIZES = dict(train=11, test=7)


def scored(model, sample):
    datasets = dict(train=ArrayDataset(count=11), test=ArrayDataset(seed=1, count=7))
    return {
        split: score_dataset(model, datasets[split], 4, split, sample=images)
        for split, images in sample.items()
    }


def test_a_sample_is_drawn_once_and_the_same_again():
    sample = draw_sample(SIZES, 13)
    assert sum(len(images) for images in sample.values()) == 13
    for split, images in sample.items():
        assert images == sorted(set(images))
        assert set(images) <= set(range(SIZES[split]))
        assert images
    assert draw_sample(SIZES, 13) == sample
    assert draw_sample(SIZES, 13, seed=1) != sample
    assert draw_sample(SIZES) == dict(train=list(range(11)), test=list(range(7)))


def test_the_map_has_the_prototypes_first_and_is_the_same_again():
    model, sample = small_model(), draw_sample(SIZES, 13)
    scores = scored(model, sample)
    found = latent_map(model.head, scores)
    assert found.positions.shape == (6 + 13, 2)
    assert np.isfinite(found.positions).all()
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2, *(patch.label for patch in found.patches)]
    assert [(patch.split, patch.image) for patch in found.patches] == [
        (split, image) for split, images in sample.items() for image in images
    ]
    assert np.allclose(latent_map(model.head, scores).positions, found.positions)


def test_neighbours_are_found_among_prototypes_and_patches():
    model = small_model()
    scores = scored(model, dict(test=list(range(7))))
    found = latent_map(model.head, scores)
    prototypes = model.head.prototype_vectors.detach().flatten(1).numpy()
    points = np.concatenate([prototypes, scores['test'].sample_vectors])
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert (found.neighbours[:, 0] == distances.argmin(axis=1)).all()


def test_a_split_without_a_drawn_image_is_no_matter():
    model = small_model()
    found = latent_map(model.head, scored(model, dict(train=[], test=[0, 1, 2, 3])))
    assert [patch.split for patch in found.patches] == ['test'] * 4


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
