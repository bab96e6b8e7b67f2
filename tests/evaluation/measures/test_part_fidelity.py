"""Part fidelity: the golden figures, and cases whose value is known by hand."""

import numpy as np
import pytest

from mmproto.evaluation.measures.part_areas import cell_boxes, part_areas, shown_parts
from mmproto.evaluation.measures.part_fidelity import part_fidelity
from tests.evaluation.measures.golden_birds import golden_birds


def test_the_part_at_the_peak_of_the_own_prototypes_is_the_golden_share():
    birds = golden_birds()
    peaks = birds.similarity.reshape(120, 60, 36).argmax(axis=-1)
    locations = np.stack(np.unravel_index(peaks, (6, 6)), axis=-1)
    areas = part_areas(birds.part_map, cell_boxes(locations, (6, 6), (96, 96)), 6)
    hit, chance = part_fidelity(shown_parts(areas), birds.scores, birds.scores_removed)
    own = birds.own
    assert np.isfinite(hit[own]).sum() == 596
    assert np.nansum(hit[own]) == 468
    assert np.nanmean(hit[own]) == pytest.approx(0.785, abs=5e-4)
    assert np.nanmean(chance[own]) == pytest.approx(0.17, abs=0.005)
    # What other prototypes show fits worse.
    moved, _ = part_fidelity(
        np.roll(shown_parts(areas), 7, axis=1), birds.scores, birds.scores_removed
    )
    assert np.nanmean(moved[own]) < 0.5


def drops(*rows):
    """Scores of 1 before, and 1 less these drops (parts) of each prototype after."""
    return np.ones((1, len(rows))), 1 - np.array(rows, float).T[None]


def test_only_the_part_that_lowers_the_score_most_counts():
    scores = drops([3, 1, 0], [3, 1, 0], [1, 2, -5], [0, 0, 4])
    hit, chance = part_fidelity(np.array([[0, 1, 1, -1]]), *scores)
    np.testing.assert_array_equal(hit, [[1, 0, 1, np.nan]])
    np.testing.assert_allclose(chance, [[1 / 3, 1 / 3, 1 / 3, np.nan]])


def test_equal_parts_all_count_and_none_does_that_lowers_nothing():
    scores = drops([2, 2, 0], [2, 2, 0], [0, 0, 0], [-1, -2, -1])
    hit, chance = part_fidelity(np.array([[1, 2, 0, 0]]), *scores)
    np.testing.assert_array_equal(hit, [[1, 0, 0, 0]])
    np.testing.assert_allclose(chance, [[2 / 3, 2 / 3, 0, 0]])


def test_values_are_those_of_a_plain_loop():
    rng = np.random.default_rng(2)
    shown = rng.integers(-1, 6, (4, 5))
    score, changed = rng.normal(size=(4, 5)), rng.normal(size=(4, 6, 5))
    hit, _ = part_fidelity(shown, score, changed)
    for n, p in np.ndindex(4, 5):
        lowest = changed[n, :, p].argmin()
        lowers = changed[n, lowest, p] < score[n, p]
        expected = np.nan if shown[n, p] < 0 else float(shown[n, p] == lowest and lowers)
        np.testing.assert_equal(hit[n, p], expected)
