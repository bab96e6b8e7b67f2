import numpy as np
import pytest
import torch

from mmproto.evaluation.figure_table import worst_prototypes
from mmproto.evaluation.figures.cell_stability import CellStability
from mmproto.evaluation.figures.noise import BOUND, NOISE, SEEDS
from tests.evaluation.figures.images import (
    classes,
    explained,
    rows_of,
    small_network,
    varied_network,
)


def test_shares_equal_a_plain_loop():
    network = varied_network()
    images = explained(network, count=20)
    held = 0
    rows = rows_of(images, CellStability().look(images, network))
    assert len({float(share) for row in rows for share in row['stays']}) > 2  # noise does move some
    for image, row in zip(images, rows):
        draws = []
        for seed in range(SEEDS):
            noise = np.random.default_rng([seed, image.number]).normal(0, NOISE, image.input.shape)
            noisy = image.input + torch.from_numpy(noise.clip(-BOUND, BOUND).astype('f4'))
            outputs = network.outputs(noisy[None])
            if int(outputs.logits[0].argmax()) == image.predicted:
                moves = outputs.locations[0].numpy() - image.locations
                held += 1
                draws.append([abs(moves[j]).max() <= 1 for j in image.own])
        expected = np.mean(draws, axis=0) if draws else [np.nan] * len(image.own)
        assert row['stays'] == pytest.approx(expected, nan_ok=True)
    assert 0 < held < SEEDS * len(images)


def test_figures_by_hand():
    """Two classes of one and two prototypes, of the second one that noise moves."""
    network = small_network(prototypes_per_class=[1, 2, 0])
    far, near = np.array([[0, 0]]), np.array([[5, 5]])
    both = np.array([[2, 2], [2, 2]])
    rows = [
        dict(label=0, prototypes=np.array([0]), cells=far, stays=np.array([1.0])),
        dict(label=0, prototypes=np.array([0]), cells=near, stays=np.array([np.nan])),
        dict(label=1, prototypes=np.array([1, 2]), cells=both, stays=np.array([1, 0.5])),
        dict(label=1, prototypes=np.array([1, 2]), cells=both + 1, stays=np.array([1, 0])),
        dict(label=2, prototypes=np.empty(0, int), cells=both[:0], stays=np.empty(0)),
    ]
    (figure,) = CellStability().figures(rows, classes(network))
    assert figure.of_prototypes == pytest.approx([1, 1, 0.25])
    assert figure.estimate.value == pytest.approx((1 + 0.75 + 0.5) / 3)
    assert figure.chance['another image'] == pytest.approx((0 + 0 + 1 + 1) / 4)
    assert worst_prototypes(figure)[0] == 2
    (alone,) = CellStability().figures(rows[:1], classes(network))
    assert alone.estimate.value == 1
    assert np.isnan(alone.chance['another image'])
