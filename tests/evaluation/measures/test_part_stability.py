import numpy as np
import pytest

from mmproto.evaluation.measures.part_stability import stability
from tests.evaluation.measures.golden import golden_metrics
from tests.evaluation.measures.golden_parts import (
    IMAGE,
    LABEL,
    PROTOTYPE,
    SIMILARITY,
    own_hits,
    random_draws,
)

THEIRS = golden_metrics('evalprotopnet')


def own_stability(maps, noisy_maps, **counted):
    return stability(own_hits(maps), own_hits(noisy_maps), PROTOTYPE, 60, **counted)


def test_stability_is_that_of_evalprotopnet():
    noisy = THEIRS['own_similarity_noise'][0][IMAGE, PROTOTYPE % 5]
    found = own_stability(SIMILARITY[IMAGE, PROTOTYPE], noisy)
    # theirs is the mean of single-precision numbers
    assert 100 * found.mean() == pytest.approx(THEIRS['stability'][0], abs=1e-5)


def test_stability_of_random_maps_is_that_of_evalprotopnet():
    first, second, _ = random_draws()
    found = own_stability(first[IMAGE, PROTOTYPE], second[IMAGE, PROTOTYPE])
    assert 100 * found.mean() == pytest.approx(THEIRS['random_stability'][0], abs=1e-5)


def test_images_that_do_not_count_are_left_out():
    hit, noisy = THEIRS['hit'], THEIRS['hit_noise'][0]
    counted = np.random.default_rng(0).random(len(LABEL)) < 0.5
    counted[LABEL == 3] = False
    found = stability(
        hit.reshape(-1, 15), noisy.reshape(-1, 15), PROTOTYPE, 60, counted=counted[IMAGE]
    )
    for j in range(60):
        same = [
            np.array_equal(hit[j, k], noisy[j, k])
            for k, image in enumerate(np.flatnonzero(j // 5 == LABEL))
            if counted[image]
        ]
        assert found[j] == pytest.approx(np.mean(same) if same else np.nan, nan_ok=True)
    assert np.isnan(found).sum() == 5


def test_every_part_must_agree_and_no_part_agrees_with_none():
    hit = np.array([[1, 0], [1, 1], [0, 0], [1, 0], [0, 0]], bool)
    noisy = np.array([[1, 0], [1, 0], [0, 0], [0, 1], [0, 1]], bool)
    prototype = np.array([0, 0, 0, 2, 2])  # of different numbers of images
    found = stability(hit, noisy, prototype, 3)
    assert found == pytest.approx([2 / 3, np.nan, 0], nan_ok=True)
