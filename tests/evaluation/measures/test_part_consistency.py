import numpy as np
import pytest

from mmproto.evaluation.measures.chance_maps import centre_map
from mmproto.evaluation.measures.part_consistency import (
    best_part_rate,
    consistency,
    rates_by_prototype,
)
from mmproto.evaluation.measures.part_hits import boxes_around, inside, own_class_pairs, peaks
from tests.evaluation.measures.golden import golden_metrics
from tests.evaluation.measures.golden_parts import (
    IMAGE,
    PROTOTYPE,
    SIMILARITY,
    VISIBLE,
    own_hits,
    random_draws,
)

THEIRS = golden_metrics('evalprotopnet')
OURS = SIMILARITY[IMAGE, PROTOTYPE]


def best_rates(hit):
    return best_part_rate(rates_by_prototype(hit, VISIBLE[IMAGE], PROTOTYPE, 60))


def percent(hit, *threshold):
    return 100 * consistency(best_rates(hit), *threshold).mean()


def test_consistency_is_that_of_evalprotopnet():
    hit = own_hits(OURS)
    assert percent(hit) == pytest.approx(THEIRS['consistency'], abs=1e-6)
    for threshold, value in THEIRS['consistency_thresholds']:
        assert percent(hit, threshold) == pytest.approx(value, abs=1e-6)


def test_consistency_of_other_boxes_is_that_of_evalprotopnet():
    for half_size, value in THEIRS['consistency_half_sizes']:
        assert percent(own_hits(OURS, int(half_size))) == pytest.approx(value, abs=1e-6)


def test_consistency_of_chance_maps_is_that_of_evalprotopnet():
    drawn = random_draws()[0][IMAGE, PROTOTYPE]
    assert percent(own_hits(drawn)) == THEIRS['random_consistency']
    centre = np.broadcast_to(centre_map((6, 6)), OURS.shape)
    assert percent(own_hits(centre)) == THEIRS['centre_consistency']


# Classes of 4, 1 and 3 images and of 1, 3 and 2 prototypes, in no order; no image is of class 3.
LABEL = np.array([2, 0, 0, 1, 2, 0, 2, 0])
PROTOTYPE_CLASS = np.array([1, 0, 2, 1, 3, 2, 1])
GRID = (5, 7)


@pytest.fixture
def parts():
    """Every image has three parts in cells of their own, and one that is never visible."""
    rng = np.random.default_rng(0)
    cells = [rng.permutation(np.argwhere(np.ones(GRID)))[:4] for _ in LABEL]
    placed = np.array(cells) + rng.random((len(LABEL), 4, 2))
    placed[:, 3] = np.nan
    return placed


def rates_of(maps, parts):
    """Rates of maps (N, P, H, W) by boxes of one cell."""
    image, prototype = own_class_pairs(LABEL, PROTOTYPE_CLASS)
    boxes = boxes_around(peaks(maps[image, prototype]), 0, GRID)
    seen = ~np.isnan(parts).any(-1)
    hit = inside(parts[image], boxes)
    return rates_by_prototype(hit, seen[image], prototype, len(PROTOTYPE_CLASS))


def pointing_at(parts, part):
    """Maps (N, P, H, W) that are greatest at one part of each prototype (P,)."""
    maps = np.zeros((len(LABEL), len(PROTOTYPE_CLASS), *GRID))
    for i, j in np.ndindex(maps.shape[:2]):
        maps[i, j][tuple(parts[i, part[j]].astype(int))] = 1
    return maps


def test_maps_of_one_part_each_are_right(parts):
    part = np.array([0, 1, 2, 1, 0, 0, 2])
    rates = rates_of(pointing_at(parts, part), parts)
    expected = np.where(np.arange(4) == part[:, None], 1.0, 0.0)
    expected[:, 3] = expected[4] = np.nan  # the hidden part, and the prototype without an image
    assert np.array_equal(rates, expected, equal_nan=True)
    consistent = consistency(best_part_rate(rates))
    assert np.array_equal(consistent, [1, 1, 1, 1, np.nan, 1, 1], equal_nan=True)


def test_a_map_that_turns_from_part_to_part_is_wrong(parts):
    maps = pointing_at(parts, np.zeros(7, int))
    maps[1] = pointing_at(parts, np.ones(7, int))[1]  # one of the four images of class 0
    best = best_part_rate(rates_of(maps, parts))
    assert best[1] == 0.75
    assert consistency(best)[1] == 0
    assert consistency(best, threshold=0.75)[1] == 1


def test_hidden_parts_are_not_missed(parts):
    maps = pointing_at(parts, np.zeros(7, int))
    maps[1] = pointing_at(parts, np.ones(7, int))[1]
    parts[1, 0] = np.nan
    assert best_part_rate(rates_of(maps, parts))[1] == 1


def test_nothing_is_said_of_images_without_parts(parts):
    maps = pointing_at(parts, np.zeros(7, int))
    best = best_part_rate(rates_of(maps, np.full_like(parts, np.nan)))
    assert np.isnan(best).all()
    assert np.isnan(consistency(best)).all()


def test_rates_agree_with_a_plain_loop():
    rng = np.random.default_rng(1)
    prototype = rng.integers(0, 6, 50)
    hit, seen = rng.random((2, 50, 3)) < [[[0.5]], [[0.8]]]
    rates = rates_by_prototype(hit, seen, prototype, 7)
    for j, k in np.ndindex(6, 3):
        counted = [hit[m, k] for m in range(50) if prototype[m] == j and seen[m, k]]
        assert rates[j, k] == pytest.approx(sum(counted) / len(counted))
    assert np.isnan(rates[6]).all()
