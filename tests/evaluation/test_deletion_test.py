import numpy as np
import pytest
import torch

from mmproto.evaluation.deletion_test import (
    COVERS,
    blurred,
    deletion_test,
    marked_pixels,
    random_box,
    relative_drops,
)

FRACTIONS = (0.05, 0.1, 0.2)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def image():
    return 1 + torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(0))


def weights():
    """Two prototypes: each scores by one quarter of the image, the first pixels most."""
    maps = np.zeros((2, 20, 30), np.float32)
    maps[0, :10, :15] = np.linspace(2, 1, 150).reshape(10, 15)
    maps[1, 10:, 15:] = np.linspace(2, 1, 150).reshape(10, 15)
    return maps


def score(images):
    """Scores (N, 2) of images (N, 3, 20, 30)."""
    return torch.einsum('nchw,phw->np', images, torch.from_numpy(weights()))


def test_the_highest_pixels_are_marked(rng):
    activation = rng.random((20, 30))
    for fraction in FRACTIONS:
        marked = marked_pixels(activation, fraction, rng)
        assert marked.sum() == fraction * 600
        assert activation[marked].min() > activation[~marked].max()


def test_equal_pixels_are_drawn_evenly(rng):
    half = np.zeros((20, 30))
    half[:, :15] = 1
    times = sum(marked_pixels(half, 0.1, rng).astype(int) for _ in range(500))
    assert times[:, 15:].sum() == 0
    assert times.sum() == 500 * 60
    assert times[:, :15].min() > 60  # 100 are expected


def test_a_random_box_has_the_area_and_falls_everywhere(rng):
    boxes = [random_box((20, 30), 0.1, rng) for _ in range(300)]
    for box in boxes:
        rows, columns = np.flatnonzero(box.any(1)), np.flatnonzero(box.any(0))
        assert box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert box.sum() == pytest.approx(60, abs=6)
    reached = np.any(boxes, axis=0)
    assert reached.any(axis=1).all()
    assert reached.any(axis=0).all()


def test_drops_agree_with_a_plain_loop(image, rng):
    masks = rng.random((70, 20, 30)) < 0.3
    filler = blurred(image)
    drops = relative_drops(score, image, masks, filler)
    assert drops.shape == (70, 2)
    for mask, drop in zip(masks, drops):
        covered = image.clone()
        for row in range(20):
            for column in range(30):
                if mask[row, column]:
                    covered[:, row, column] = filler[:, row, column]
        for j in range(2):
            before, after = float(score(image[None])[0, j]), float(score(covered[None])[0, j])
            assert float(drop[j]) == pytest.approx((before - after) / before, abs=1e-4)


def test_a_score_below_zero_drops_when_it_gets_smaller(image):
    everything = np.ones((1, 20, 30), bool)
    zero = torch.zeros_like(image)
    assert relative_drops(score, image, everything, zero) == pytest.approx(1, abs=1e-6)
    assert (relative_drops(lambda x: -score(x), image, everything, zero) < 0).all()


@pytest.mark.parametrize('cover', COVERS)
def test_covers_take_detail_away(cover):
    image = torch.randn(3, 40, 60, generator=torch.Generator().manual_seed(0))
    filler = COVERS[cover](image)
    assert filler.shape == image.shape
    assert filler.dtype == image.dtype
    assert filler.std() < 0.2 * image.std()


def test_a_perfect_map_beats_random_and_an_inverted_one_does_not(image):
    maps = dict(perfect=weights(), inverted=-weights())
    drops = deletion_test(
        score,
        image,
        maps,
        [0, 1],
        torch.zeros_like(image),
        FRACTIONS,
        draws=8,
        rng=np.random.default_rng(0),
    )
    assert set(drops) == {'perfect', 'inverted', 'random pixels', 'random box'}
    assert all(drop.shape == (2, 3) for drop in drops.values())
    for chance in ('random pixels', 'random box'):
        assert (drops['perfect'] > drops[chance]).all()
        assert (drops['inverted'] < drops[chance]).all()
    assert np.allclose(drops['inverted'], 0, atol=1e-5)
    assert np.allclose(drops['random pixels'], np.tile(FRACTIONS, (2, 1)), atol=0.05)
    # the other prototype's map does not do
    swapped = deletion_test(
        score,
        image,
        dict(swapped=weights()[::-1]),
        [0, 1],
        torch.zeros_like(image),
        FRACTIONS,
        draws=1,
        rng=np.random.default_rng(0),
    )['swapped']
    assert np.allclose(swapped, 0, atol=1e-5)


def test_a_seed_fixes_the_test(image):
    def run(seed):
        return deletion_test(
            score,
            image,
            {},
            [1],
            torch.zeros_like(image),
            FRACTIONS,
            draws=3,
            rng=np.random.default_rng(seed),
        )['random pixels']

    assert np.array_equal(run(1), run(1))
    assert not np.array_equal(run(1), run(2))
