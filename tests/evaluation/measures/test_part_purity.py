import numpy as np
import pytest

from mmproto.evaluation.measures.chance_maps import centre_map, other_of_class
from mmproto.evaluation.measures.part_consistency import rates_by_prototype
from mmproto.evaluation.measures.part_hits import inside, peaks
from mmproto.evaluation.measures.part_purity import (
    HighScores,
    merge_sides,
    part_purity,
    patch_boxes,
    top_images,
)
from tests.evaluation.measures.golden import golden_metrics
from tests.evaluation.measures.golden_parts import (
    LABEL,
    PART_NAMES,
    SIMILARITY,
    VISIBLE,
    parts_in_crops,
    random_draws,
)

THEIRS = golden_metrics('pipnet')
RANDOM, _, RANDOM_SCORES = random_draws()
# Scores and maps; 'shifted' has the maps of the image half the data set later.
CASES = dict(
    ours=(SIMILARITY.max((2, 3)), SIMILARITY),
    random=(RANDOM.max((2, 3)), RANDOM),
    centre=(RANDOM_SCORES, np.broadcast_to(centre_map((6, 6)), SIMILARITY.shape)),
    shifted=(SIMILARITY.max((2, 3)), SIMILARITY[other_of_class(np.zeros_like(LABEL))]),
)


def top_of_all(scores, k=10):
    """The top images where every image has a score of every prototype (N, P)."""
    image, prototype = np.indices(scores.shape)
    return top_images(scores.ravel(), image.ravel(), prototype.ravel(), k)


def top_patches(scores, maps):
    image, prototype = top_of_all(scores)
    return image, prototype, patch_boxes(peaks(maps[image, prototype]), (6, 6))


def most_hit_rates(hit, visible, prototype):
    """The rate of the part that is hit most often; of several, the one that PIP-Net saw first.

    Of those seen in one image it takes the first by number, which for sides is the right one's.
    """
    numbers = np.arange(15) * merge_sides(np.eye(15, dtype=bool), PART_NAMES).T
    hit, visible = merge_sides(hit, PART_NAMES), merge_sides(visible, PART_NAMES)
    rates = rates_by_prototype(hit, visible, prototype, 60)
    for j in range(60):
        hits = hit[prototype == j].sum(0)
        seen = visible[prototype == j]
        first = np.where(seen.any(0), seen.argmax(0), len(seen))
        yield rates[j, np.lexsort((numbers.max(1), first, -hits))[0]]


@pytest.mark.parametrize('case', CASES)
def test_purity_is_that_of_pipnet(case):
    image, prototype, boxes = top_patches(*CASES[case])
    hit, visible = inside(parts_in_crops()[image], boxes), VISIBLE[image]
    purity = part_purity(hit, visible, prototype, 60, PART_NAMES)
    most = list(most_hit_rates(hit, visible, prototype))
    found = dict(
        purity=purity.mean(),
        purity_sd=purity.std(),
        purity_most=np.mean(most),
        purity_most_sd=np.std(most),
        prototypes=len(purity),
        part_related=(purity > 0.5).sum(),
    )
    expected = dict(zip(THEIRS['value_names'], THEIRS[f'test_top10_{case}']))
    assert found == pytest.approx(expected, abs=1e-6)


def test_patches_are_those_of_pipnet():
    image, prototype, boxes = top_patches(*CASES['ours'])
    assert np.column_stack([prototype, image, boxes]) == pytest.approx(THEIRS['test_boxes'])


def test_patches_end_with_the_image():
    cells = np.array([[0, 1], [12, 13], [13, 12]])  # steps of 14.77 are rounded to 15
    boxes = patch_boxes(cells, (14, 14))
    expected = [[0, 32, 15, 47], [180, 212, 192, 224], [192, 224, 180, 212]]
    assert boxes == pytest.approx(np.array(expected))
    rectangle = patch_boxes(np.array([[1, 1], [2, 6]]), (3, 7))
    assert rectangle == pytest.approx(np.array([[96, 128, 32, 64], [192, 224, 192, 224]]))


def test_a_part_on_either_edge_of_a_patch_is_inside():
    box = patch_boxes(np.array([1, 2]), (7, 7))
    y_and_x = np.array([[32, 64], [64, 96], [64.001, 96], [64, 96.001], [31.999, 64]])
    assert inside(y_and_x, box).tolist() == [True, True, False, False, False]


def test_of_equal_scores_the_first_images_are_on_top():
    scores = np.array([[1, 2], [3, 2], [3, 2], [0, 5], [3, 1]])
    image, prototype = top_of_all(scores, 2)
    assert image.tolist() == [1, 2, 3, 0]
    assert prototype.tolist() == [0, 0, 1, 1]
    image, prototype = top_of_all(scores, 10)  # more than there are
    assert image.tolist() == [1, 2, 4, 0, 3, 3, 0, 1, 2, 4]
    assert prototype.tolist() == [0] * 5 + [1] * 5


def test_top_images_agree_with_a_plain_loop():
    scores = np.random.default_rng(0).integers(0, 5, (200, 4)).astype(float)  # most are equal
    image, _ = top_of_all(scores, 60)
    for j, found in enumerate(image.reshape(4, 60)):
        assert found.tolist() == sorted(range(200), key=lambda i: (-scores[i, j], i))[:60]


def test_images_that_are_forgotten_are_never_on_top():
    scores = np.random.default_rng(0).integers(0, 50, (300, 4)).astype(float)
    for order in (np.arange(300), np.random.default_rng(1).permutation(300)):
        high = HighScores(4, k=7)
        met = np.zeros((300, 4), bool)
        for image in order:
            met[image] = high.meet(scores[image])
        assert met.mean() < 0.25
        image, prototype = np.nonzero(met)
        kept = top_images(scores[met], image, prototype, 7)
        np.testing.assert_array_equal(kept, top_of_all(scores, 7))


NAMES = ['beak', 'left leg', 'left wing', 'tail', 'right leg', 'right wing']


def test_sides_are_merged_into_what_either_is():
    values = np.array(
        [[1, 0, 0, 0, 1, 0], [0, 1, 0, 1, 0, 0], [0, 1, 1, 0, 1, 1], [0, 0, 0, 0, 0, 0]], bool
    )
    merged = [[1, 1, 0, 0], [0, 1, 0, 1], [0, 1, 1, 0], [0, 0, 0, 0]]  # beak, leg, wing, tail
    assert merge_sides(values, NAMES).tolist() == merged


def purity_of(hit, visible):
    """Purities of prototypes of three images each."""
    prototype = np.repeat(np.arange(len(hit) // 3), 3)
    return part_purity(hit, visible, prototype, len(hit) // 3, NAMES)


def test_purity_of_known_patches():
    hit, visible = np.zeros((12, 6), bool), np.ones((12, 6), bool)
    hit[[0, 1, 2], [1, 4, 1]] = True  # always a leg, left or right
    hit[[3, 4, 5], [0, 2, 3]] = True  # another part each time
    visible[6:9, 3:] = False  # twice the beak; the tail is never visible
    hit[[6, 7], 0] = True
    assert purity_of(hit, visible) == pytest.approx([1, 1 / 3, 2 / 3, 0])


def test_parts_count_where_they_are_visible():
    hit, visible = np.zeros((6, 6), bool), np.ones((6, 6), bool)
    visible[:2, 3] = False
    hit[2, 3] = True  # the only image with a tail
    visible[3:] = False  # images without any part
    assert purity_of(hit, visible) == pytest.approx([1, np.nan], nan_ok=True)
