import cv2
import numpy as np
import pytest

from mmproto.evaluation.measures.chance_maps import centre_map
from mmproto.evaluation.measures.on_object import (
    best_cell,
    energy_relevance,
    mask_relevance,
    object_share,
)
from tests.evaluation.measures.golden import golden_metrics


@pytest.fixture(scope='module')
def base():
    return dict(golden_metrics('base'))


@pytest.fixture(scope='module')
def masks(base):
    """The object in the pixels of each crop."""
    shape = base['segmentation_shape']
    whole = np.unpackbits(base['segmentation'])[: np.prod(shape)].reshape(shape) > 0
    return [one[y1:y2, x1:x2] for one, (x1, y1, x2, y2) in zip(whole, base['box'])]


@pytest.fixture(scope='module')
def golden():
    return dict(golden_metrics('cabrnet'))


def relevance(similarity, golden, masks):
    """Mask and energy relevance (1200, 2) of maps (240, 5, 6, 6), in the order of the golden."""
    values = []
    for maps, mask in zip(similarity, masks):
        size = mask.shape[::-1]
        pixels = np.stack([cv2.resize(one, size, interpolation=cv2.INTER_CUBIC) for one in maps])
        values += [mask_relevance(pixels, mask), energy_relevance(pixels, mask)]
    return np.stack(values).reshape(len(masks), 2, 5).transpose(0, 2, 1).reshape(-1, 2)


def mean_relevance(values):
    """As a row of relevance_values: mask, energy, mask of the most similar prototype."""
    return [*values.mean(axis=0), values[::5, 0].mean()]


@pytest.fixture(scope='module')
def similarity(base, golden):
    image, prototype = golden['one_cell'][:, :2].astype(int).T
    return base['similarity'][image, prototype].reshape(240, 5, 6, 6)


def test_the_best_cells_are_as_relevant_as_cabrnet_says(similarity, golden, masks):
    values = relevance(best_cell(similarity), golden, masks)
    np.testing.assert_allclose(values, golden['one_cell'][:, 2:], atol=1e-6)
    np.testing.assert_allclose(mean_relevance(values), golden['relevance_values'][0], atol=1e-6)


def test_whole_maps_are_as_relevant_as_cabrnet_says(similarity, golden, masks):
    # It computed its maps anew, image by image: rounding changes one pixel of one map.
    values = relevance(similarity, golden, masks)
    error = np.abs(values - golden['whole_map'][:, 2:])
    assert np.sort(error[:, 0])[-2] < 1e-6
    assert error[:, 0].max() < 2e-3
    assert error[:, 1].max() < 2e-4
    np.testing.assert_allclose(mean_relevance(values), golden['relevance_values'][1], atol=2e-6)


def test_the_centre_is_as_relevant_as_cabrnet_says(golden, masks):
    centre = np.broadcast_to(best_cell(centre_map((6, 6))), (240, 5, 6, 6))
    values = relevance(centre, golden, masks)
    np.testing.assert_allclose(mean_relevance(values), golden['relevance_values'][3], atol=1e-6)


@pytest.mark.parametrize(('row', 'keep'), [(2, best_cell), (4, lambda maps: maps)])
def test_random_maps_are_as_relevant_as_cabrnet_says(row, keep, golden, masks):
    # Its draws are others; 5 % is several times the standard error.
    random = np.random.default_rng(0).random((240, 5, 6, 6), np.float32)
    values = relevance(keep(random), golden, masks)
    np.testing.assert_allclose(mean_relevance(values), golden['relevance_values'][row], atol=0.05)


def test_by_a_plain_loop():
    rng = np.random.default_rng(0)
    maps, mask = rng.normal(size=(3, 7, 9)), rng.random((7, 9)) < 0.4
    for values, one in zip(zip(mask_relevance(maps, mask), energy_relevance(maps, mask)), maps):
        order = sorted(np.ndindex(7, 9), key=lambda at: -one[at])
        marked = order[:6]  # 63 pixels: 6 are above the one of rank int(56.7)
        energy = {at: one[at] - one.min() for at in order}
        on_object = sum(energy[at] for at in order if mask[at])
        assert values[0] == pytest.approx(sum(mask[at] for at in marked) / 6)
        assert values[1] == pytest.approx(on_object / sum(energy.values()))


@pytest.fixture
def mask():
    """The object is a quarter of the image."""
    mask = np.zeros((20, 30), bool)
    mask[:10, 15:] = True
    return mask


@pytest.mark.parametrize('measure', [mask_relevance, energy_relevance])
def test_values_known_by_hand(measure, mask):
    small = np.zeros_like(mask)
    small[2:5, 17:20] = True  # less than 10 % of the pixels
    maps = np.stack([mask, ~mask, small, np.zeros_like(mask), 0 * mask - 3]).astype(np.float32)
    np.testing.assert_allclose(measure(maps, mask), [1, 0, 1, 0.25, 0.25])


@pytest.mark.parametrize('measure', [mask_relevance, energy_relevance])
def test_an_empty_mask_has_no_relevance(measure):
    maps = np.random.default_rng(0).random((4, 20, 30))
    assert np.isnan(measure(maps, np.zeros((20, 30), bool))).all()
    np.testing.assert_allclose(measure(maps, np.ones((20, 30), bool)), 1)


@pytest.mark.parametrize('measure', [mask_relevance, energy_relevance])
def test_a_shifted_or_stretched_map_is_as_relevant(measure, mask):
    maps = np.random.default_rng(0).random((4, 20, 30))
    np.testing.assert_allclose(measure(3 * maps - 7, mask), measure(maps, mask))


def test_only_pixels_above_the_threshold_are_marked(mask):
    # 540 of 600 pixels may be below; the 100 of value 1 are too many, the 10 above are marked.
    one = np.zeros((20, 30))
    one[10:, :10] = 1
    one[0, 15:25] = 2
    assert mask_relevance(one[None], mask) == [1]


def test_the_objects_share(mask):
    assert object_share(mask) == 0.25
    assert np.isnan(object_share(np.zeros_like(mask)))


def test_the_best_cell_is_the_first_of_the_highest():
    maps = np.array([[[1, 5, 2], [5, 0, 5]], [[-3, -2, -1], [-3, -2, -1]]])
    assert best_cell(maps).tolist() == [[[0, 1, 0], [0, 0, 0]], [[0, 0, 1], [0, 0, 0]]]
    assert best_cell(maps[0]).tolist() == [[0, 1, 0], [0, 0, 0]]
