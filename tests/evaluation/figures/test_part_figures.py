"""The figures of the golden model, and of models whose right figures are known by hand."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mmproto.evaluation.figure_table import worst_prototypes
from mmproto.evaluation.figures.noise import SEEDS, outputs_under_noise
from mmproto.evaluation.figures.part_consistency import PartConsistency
from mmproto.evaluation.figures.part_peaks import upsampled_peaks
from mmproto.evaluation.figures.part_purity import PartPurity
from mmproto.evaluation.figures.part_stability import PartStability
from tests.evaluation.figures.images import classes as classes_of
from tests.evaluation.figures.images import explained, rows_of, small_network, varied_network
from tests.evaluation.measures.golden import golden_metrics

BASE = golden_metrics('base')
CLASSES = BASE['prototype_class']


@pytest.fixture(scope='module', name='rows')
def rows_fixture():
    """What is kept of the golden model's images."""
    noise = golden_metrics('evalprotopnet')['own_similarity_noise'][0]
    rows = []
    for i, label in enumerate(BASE['label'].tolist()):
        own = np.flatnonzero(label == CLASSES)
        maps = BASE['similarity'][i]
        x1, y1, x2, y2 = BASE['box'][i]
        xy = (BASE['part_xy'][i] - [x1, y1]) * 224 / [x2 - x1, y2 - y1]
        parts = np.where(BASE['part_visible'][i][:, None] > 0, xy[:, ::-1], np.nan)
        flat = maps.reshape(60, -1).argmax(axis=1)
        cells = np.stack(np.unravel_index(flat, (6, 6)), axis=1)
        rows.append(
            dict(
                label=label,
                parts=parts,
                prototypes=own,
                peaks=upsampled_peaks(maps[own]),
                cells=cells[own],
                all_cells=flat,
                grid=(6, 6),
                scores=maps.max(axis=(1, 2)),
                noisy=[upsampled_peaks(noise[i])] * SEEDS,
                holds=[True] * SEEDS,
            )
        )
    return rows


def test_consistency_is_that_of_the_published_code(rows):
    golden = golden_metrics('evalprotopnet')
    mean, share, of_cell = PartConsistency().figures(rows, CLASSES)
    assert 100 * share.estimate.value == pytest.approx(float(golden['consistency']))
    assert share.chance['the middle'] == 1
    assert 100 * share.chance['another image'] == pytest.approx(11.7, abs=5)  # of another draw
    assert mean.estimate.low <= mean.estimate.value <= mean.estimate.high
    assert (mean.of_prototypes >= 0.8).mean() == pytest.approx(share.estimate.value)
    assert of_cell.estimate.value < mean.estimate.value


def test_stability_is_that_of_the_published_code(rows):
    (figure,) = PartStability().figures(rows, CLASSES)
    golden = golden_metrics('evalprotopnet')['stability'][0]
    assert 100 * figure.estimate.value == pytest.approx(float(golden), abs=1e-4)


def test_images_whose_class_changes_count_for_no_stability(rows):
    fallen = [dict(row, holds=[False] * SEEDS) for row in rows]
    (figure,) = PartStability().figures(fallen, CLASSES)
    assert np.isnan(figure.estimate.value)
    half = [dict(row, holds=[i % 2 == 0] * SEEDS) for i, row in enumerate(rows)]
    (figure,) = PartStability().figures(half, CLASSES)
    (alone,) = PartStability().figures(rows[::2], CLASSES)
    assert figure.estimate.value == pytest.approx(alone.estimate.value)


def test_places_are_those_of_the_own_prototypes():
    network = varied_network()
    images = [replace(one, parts=np.full((2, 2), 8.0)) for one in explained(network, count=6)]
    looks = [one.look(images, network) for one in (PartConsistency(), PartStability())]
    for image, consistency, stability in zip(images, *looks):
        for place, prototype in enumerate(image.own):
            (peak,) = upsampled_peaks(image.maps[[prototype]])
            assert np.array_equal(consistency['peaks'][place], peak)
            assert np.array_equal(stability['peaks'][place], peak)
            assert np.array_equal(consistency['cells'][place], image.locations[prototype])
    for seed, (outputs, holds) in enumerate(outputs_under_noise(images, network)):
        for image, row, features, held in zip(images, looks[1], outputs.feature_map, holds):
            maps = network.similarity_maps(features).numpy()
            expected = [upsampled_peaks([maps[prototype]])[0] for prototype in image.own]
            assert np.array_equal(row['noisy'][seed], expected)
            assert row['holds'][seed] == held


def test_purity_is_that_of_the_published_code(rows):
    measure = PartPurity()
    measure.part_names = BASE['part_names'].tolist()
    every = dict(prototypes=np.arange(60))
    (figure,) = measure.figures(
        [dict(row, cells=row['all_cells'], **every) for row in rows], CLASSES
    )
    golden = golden_metrics('pipnet')
    values = dict(zip(golden['value_names'].tolist(), golden['test_top10_ours'].tolist()))
    assert figure.estimate.value == pytest.approx(values['purity'], abs=1e-6)
    assert figure.estimate.low < figure.estimate.value < figure.estimate.high


def test_purity_keeps_next_to_no_scores_and_loses_none_that_counts(rows):
    """Of many images the figure is the one of all scores."""
    network = small_network()
    images = explained(network, count=150)
    rng = np.random.default_rng(0)
    images = [replace(one, parts=rng.uniform(0, 16, (4, 2))) for one in images]
    measure = PartPurity()
    measure.begin(network.model, SimpleNamespace(metainfo=dict(part_names=list('abcd'))))
    kept = rows_of(images, measure.look(images, network))
    assert sum(len(row['scores']) for row in kept) < 0.4 * 150 * 6
    whole = [
        dict(row, scores=image.scores, prototypes=np.arange(6)) for row, image in zip(kept, images)
    ]
    (ours,), (expected,) = (measure.figures(some, classes_of(network)) for some in (kept, whole))
    assert ours == expected
    assert np.array_equal(ours.of_prototypes, expected.of_prototypes)


def test_a_perfect_map_is_consistent_pure_and_stable():
    rng = np.random.default_rng(0)
    rows = []
    for i in range(30):
        parts = rng.uniform(20, 200, (4, 2))
        parts[3] = np.nan  # never visible
        own = np.array([0, 1, 2]) if i % 2 == 0 else np.array([3])
        places = parts[own % 3].round().astype(int)
        cells = np.minimum(parts[np.arange(4) % 3] // 32, 6).astype(int)
        rows.append(
            dict(
                label=i % 2, parts=parts, prototypes=own, peaks=places, cells=cells[own],
                grid=(7, 7), noisy=[places] * SEEDS, holds=[True] * SEEDS,
            )
        )  # fmt: skip
    classes = np.array([0, 0, 0, 1])
    mean, share, of_cell = PartConsistency().figures(rows, classes)
    assert mean.estimate == (1, 1, 1)
    assert share.estimate.value == of_cell.estimate.value == 1
    assert mean.chance['another image'] < 1
    (stable,) = PartStability().figures(rows, classes)
    assert stable.estimate.value == 1


def test_planted_defects_come_out_worst():
    """Prototype 1 looks at the background, 2 moves with the noise; the others at a part each."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(40):
        parts = np.stack([rng.uniform(30, 60, 5), np.linspace(20, 200, 5)], axis=1)
        places = parts.round().astype(int)
        places[1] = 200, rng.integers(220)  # far below the parts
        noisy = []
        for _ in range(SEEDS):
            moved = places.copy()
            moved[2] = rng.integers(0, 224, 2)
            noisy.append(moved)
        rows.append(
            dict(
                label=0, parts=parts, prototypes=np.arange(5), peaks=places, cells=places // 32,
                grid=(7, 7), noisy=noisy, holds=[True] * SEEDS, scores=rng.random(5),
            )
        )  # fmt: skip
    classes = np.zeros(5, int)
    for figure in PartConsistency().figures(rows, classes):
        assert worst_prototypes(figure)[0] == 1
    (figure,) = PartStability().figures(rows, classes)
    assert worst_prototypes(figure)[0] == 2
    measure = PartPurity()
    measure.part_names = list('abcde')
    flat = [dict(row, cells=np.ravel_multi_index(tuple(row['cells'].T), (7, 7))) for row in rows]
    (figure,) = measure.figures(flat, classes)
    assert worst_prototypes(figure)[0] == 1


def test_prototypes_without_a_class_have_no_figure():
    row = dict(
        label=0, parts=np.full((2, 2), 50.0), prototypes=np.empty(0, int), grid=(3, 3),
        peaks=np.empty((0, 2), int), cells=np.empty((0, 2), int),
        noisy=[np.empty((0, 2), int)] * SEEDS, holds=[True] * SEEDS,
    )  # fmt: skip
    classes = np.array([-1, -1])
    for figure in PartConsistency().figures([row, row], classes):
        assert np.isnan(figure.estimate.value)
    (figure,) = PartStability().figures([row, row], classes)
    assert np.isnan(figure.estimate.value)
