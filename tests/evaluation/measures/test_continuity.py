import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmproto.evaluation.measures.continuity import (
    peak_shift,
    rank_drop,
    region_change,
    score_drop,
    value_change,
)
from mmproto.evaluation.measures.shown_region import highest, upper_half
from tests.evaluation.measures.golden import golden_metrics
from tests.evaluation.measures.golden_quanproto import (
    AUGMENTED,
    BASE,
    CENTRE,
    MAPS,
    NOISY,
    QUANPROTO,
    SCORES,
    TOP,
    batch_mean,
    golden,
    in_input,
)

SIMILARITY = BASE['similarity']


def peak_scores(maps):
    return maps.max(axis=(-2, -1))


@pytest.mark.parametrize(
    ('technique', 'after'), [('continuity', AUGMENTED), ('output_completeness', NOISY)]
)
def test_changes_are_those_of_quanproto(technique, after):
    found = {
        'PLC': peak_shift(MAPS, after),
        'PSC': abs(score_drop(peak_scores(MAPS), peak_scores(after))) * 100,
        'PAC': value_change(MAPS, after) * 100,
    }
    for name, values in found.items():
        assert values.shape == (240, 5)
        assert batch_mean(values) == pytest.approx(golden(f'{technique}|{name}'), rel=1e-6)


def test_regions_change_as_in_quanproto():
    change = region_change(upper_half(MAPS), upper_half(AUGMENTED))
    assert batch_mean(change) * 100 == pytest.approx(golden('continuity|PALC'), rel=1e-6)
    shown, shown_after = (highest(in_input(maps), 95) for maps in (MAPS, AUGMENTED))
    change = region_change(shown, shown_after)
    assert batch_mean(change) * 100 == pytest.approx(golden('continuity|VLC'), rel=1e-6)


def test_ranks_drop_as_in_quanproto():
    drop = abs(rank_drop(SCORES, QUANPROTO['continuity_scores'], TOP))
    assert batch_mean(drop) == pytest.approx(golden('continuity|PRC'), rel=1e-6)
    logits = BASE['logit']
    drop = rank_drop(logits, QUANPROTO['continuity_logits'], logits.argmax(1)[:, None])
    assert batch_mean(drop) == pytest.approx(golden('continuity|CRC'), rel=1e-6)


def test_ranks_under_noise_are_those_of_quanproto_but_for_one_tie():
    scores = QUANPROTO['completeness_scores']
    drop = abs(rank_drop(SCORES[:, None], scores, TOP[..., None]))
    assert drop.shape == (240, 5, 1)
    assert batch_mean(drop) == pytest.approx(golden('output_completeness|PRC'), abs=1.1 / 1500)


def test_under_noise_a_map_scaled_by_itself_hardly_changes():
    """QuanProto scales the maps of a batch together: they seem to change by 42 %."""
    change = region_change(upper_half(MAPS), upper_half(NOISY))
    assert batch_mean(change) * 100 == pytest.approx(1.371, abs=1e-3)
    together = []
    for batch in np.split(NOISY, [100, 200]):
        lowest, most = (f(batch, axis=(0, 2, 3), keepdims=True) for f in (np.min, np.max))
        together.append((batch - lowest) / (most - lowest) > 0.5)
    wrong = region_change(upper_half(MAPS), np.concatenate(together))
    assert batch_mean(wrong) * 100 == pytest.approx(golden('output_completeness|PALC'), rel=1e-6)


def test_unchanged_maps_do_not_change():
    for maps in (MAPS, CENTRE - CENTRE.min()):
        assert not peak_shift(maps, maps).any()
        assert not value_change(maps, maps).any()
        assert not region_change(upper_half(maps), upper_half(maps)).any()
        assert not score_drop(peak_scores(maps), peak_scores(maps)).any()
    assert not rank_drop(SCORES, SCORES, TOP).any()
    for name in ('PLC', 'PSC', 'PAC', 'PALC', 'PRC'):
        assert golden(f'continuity|{name}', 'values_centre') == 0


@pytest.mark.parametrize('attack', ['theirs', 'descending'])
def test_misalignment_is_that_of_its_benchmark(attack):
    result = golden_metrics('misalignment')
    image, top = result[f'{attack}_image'], result[f'{attack}_top']
    after, scores_after = result[f'{attack}_map_after'], result[f'{attack}_scores_after']
    before, scores = SIMILARITY[image, top], SCORES[image]
    want = dict(zip(result['value_names'], result[f'{attack}_values']))

    # The benchmark ran the unchanged images anew: its expanded distances differ by rounding, most
    # where a score is high, because the distance is small there.
    drop = score_drop(peak_scores(before), peak_scores(after))
    assert drop.mean() * 100 == pytest.approx(want['PAC'], abs=1e-3)

    others = BASE['prototype_class'] != BASE['label'][image][:, None]
    fall = rank_drop(scores, scores_after, top[:, None], others)
    assert fall.mean() == pytest.approx(want['PRC'], abs=1e-9)

    shown, shown_after = (
        highest(
            F.interpolate(torch.from_numpy(maps)[:, None], (96, 96), mode='bilinear').numpy(), 90
        )
        for maps in (before, after)
    )
    change = region_change(shown, shown_after)
    assert change.mean() * 100 == pytest.approx(want['PLC'], abs=1e-6)


def test_a_peak_moves_down_and_across():
    before, after = np.zeros((2, 4, 5))
    before[0, 1] = after[3, 4] = 1
    assert peak_shift(before, after) == 6
    before[3, 4] = 1  # of equal cells the first counts
    assert peak_shift(before, after) == 6


def test_a_score_may_rise():
    assert score_drop(np.array([2.0, 2, 2]), np.array([2, 0, 3])).tolist() == [0, 1, -0.5]


def test_values_change_wherever_they_are():
    before = np.array([[1.0, 2], [3, 4]])
    assert value_change(before, before[::-1]) == 0
    assert value_change(before, before / 2) == pytest.approx(0.5)
    assert value_change(before, np.zeros((2, 2))) == 1


def test_ranks_agree_with_a_plain_loop():
    rng = np.random.default_rng(0)
    before, after = rng.integers(5, size=(2, 8, 11))  # many ties
    items, rivals = rng.integers(11, size=(8, 3)), rng.random((8, 11)) < 0.6
    found = rank_drop(before, after, items, rivals)
    for n in range(8):
        for i, item in enumerate(items[n]):
            places = [
                sum(scores[n, j] > scores[n, item] for j in range(11) if rivals[n, j])
                for scores in (before, after)
            ]
            assert found[n, i] == places[1] - places[0]


def test_equal_scores_share_a_place():
    tied = np.array([[3.0, 3, 1]])
    assert rank_drop(tied, tied, np.array([[0, 1, 2]])).tolist() == [[0, 0, 0]]
    assert rank_drop(tied, np.array([[3.0, 4, 1]]), np.array([[0, 1, 2]])).tolist() == [[1, 0, 0]]


def test_prototypes_of_the_own_class_are_no_rivals():
    classes = np.array([0, 0, 0, 1])
    before, after = np.array([[4.0, 3, 2, 1]]), np.array([[1.0, 3, 2, 4]])
    top = np.array([[0]])
    assert rank_drop(before, after, top).item() == 3
    assert rank_drop(before, after, top, classes != 0).item() == 1
    assert rank_drop(after, before, top, classes != 0).item() == -1
