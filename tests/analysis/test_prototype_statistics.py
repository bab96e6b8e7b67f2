from dataclasses import replace

import numpy as np
import pytest

from mmproto.analysis.image_patch import ImagePatch
from mmproto.analysis.prototype_statistics import (
    PrototypeStatistics,
    prototype_statistics,
    strongest_classes,
    with_figures,
)
from mmproto.evaluation.figure import Estimate, Figure
from mmproto.evaluation.figures.on_object import OBJECT_SHARE
from mmproto.functional import Box
from tests.analysis.random_scores import random_scores
from tests.analysis.small_model import small_model

BOX = Box(0, 1, 0, 1)


def statistics(seen=(), **changes):
    """One of class 1 that nothing speaks against, with these classes of nearest patches."""
    facts = dict(
        prototype=0,
        name='',
        label=1,
        weight=1.0,
        class_images=9,
        fires_own=0.5,
        fires_other=0.1,
        score_own=8.0,
        score_other=4.0,
        nearest_train=[
            ImagePatch('train', i, label, 1.0, (0, 0), BOX) for i, label in enumerate(seen)
        ],
        nearest_test=[],
        duplicates=[],
        parts=None,
        strongest_class=1,
        strongest_weight=1.0,
        highest_score=9.21,
        from_same_image=[],
    )
    return PrototypeStatistics(**{**facts, **changes})


def kinds(one):
    return [concern.kind for concern in one.concerns]


@pytest.mark.parametrize(
    ('seen', 'class_images', 'wrong'),
    [
        ([1, 1, 1, 0, 2], 9, False),
        ([1, 1, 0, 0, 2], 9, True),
        ([1, 1, 0, 0, 2], 3, False),
        ([1, 0, 0, 0, 2], 2, False),
        ([1, 0, 0, 0, 2], 3, True),
        ([0, 0, 0, 0, 2], 1, True),
        ([0, 0, 0, 0, 2], 0, False),
        ([], 9, False),
    ],
)
def test_patches_of_other_classes_are_hinted_at_by_what_is_possible(seen, class_images, wrong):
    one = statistics(seen, class_images=class_images)
    assert kinds(one) == ['is found in other classes as well'] * wrong
    assert not one.doubtful
    assert statistics(seen, class_images=class_images, label=-1).concerns == []


def test_the_wrong_class_is_told_by_the_mean_scores():
    nan = float('nan')
    (concern,) = statistics(score_own=3.0, score_other=4.25).concerns
    expected = 'it scores 3.00 on test images of its class and 4.25 on all others, on average'
    assert str(concern) == f'speaks for the wrong class: {expected}'
    assert concern.serious
    for own, other in ((4.26, 4.25), (nan, 4.0), (3.0, nan)):
        assert statistics(score_own=own, score_other=other).concerns == []


def test_how_often_a_prototype_fires_gives_concern():
    nan = float('nan')
    for label, own, other, expected in [
        (1, 0.5, 0.4, []),
        (1, 0.0, 0.1, []),
        (1, 0.0, 0.0, ['never fires']),
        (1, nan, 0.0, []),
        (1, 0.0, nan, []),
        (-1, nan, 0.1, []),
        (-1, nan, 0.0, ['never fires']),
    ]:
        one = statistics(label=label, fires_own=own, fires_other=other)
        assert kinds(one) == expected, (label, own, other)


def test_a_tie_goes_to_the_class_of_the_prototype():
    weight = np.array([[1.0, 1.0, 2.0, 0.0], [1.0, 1.0, 1.0, 3.0], [0.0, 1.0, 1.0, 3.0]])
    assert strongest_classes(weight, np.array([1, -1, 1, 2])).tolist() == [1, 0, 0, 2]


def test_patches_and_parts_give_concern():
    assert kinds(statistics(duplicates=[3])) == ['shares its patch with another prototype']
    assert kinds(statistics(duplicates=[3, 4])) == ['shares its patch with 2 others']
    assert statistics(parts=['beak']).concerns == []
    (concern,) = statistics(parts=[]).concerns
    assert (concern.kind, concern.serious) == ('has no annotated part in its box', False)
    (concern,) = statistics(strongest_class=2, strongest_weight=1.5).concerns
    assert concern.kind.startswith('adds more to the logit of another class')
    assert concern.figures == 'its weights are 1.50 and 1.00'


def test_where_the_object_is_decides_what_its_images_share():
    background, text = 'looks at background', 'may be text, a marker or a frame'
    for facts, expected in [
        (dict(), [text]),
        (dict(parts=['beak']), []),
        (dict(parts=[]), [text, 'has no annotated part in its box']),
        (dict(on_object=(0.3, 0.3)), []),
        (dict(on_object=(0.3, 0.3), parts=[]), []),
        (dict(on_object=(0.2, 0.3), parts=['beak']), [text, background]),
    ]:
        assert kinds(statistics(shared=(3, 4), **facts)) == expected, facts
    (concern,) = statistics(on_object=(0.2, 0.36)).concerns
    assert concern.figures.startswith('20% of what it marks in test images is on the object, which')
    assert concern.figures.endswith('covers 36%')


def test_figures_of_the_object_go_to_their_prototypes():
    share = Figure(
        'on_object',
        '',
        Estimate(0.5, 0.4, 0.6),
        '',
        chance={OBJECT_SHARE: 0.3, 'the middle': 0.9},
        of_prototypes=np.array([0.25, np.nan]),
    )
    one, other = with_figures([statistics(), statistics()], [replace(share, name='other'), share])
    assert one.on_object == (0.25, 0.3)
    assert other.on_object is None
    assert with_figures([one], []) == [one]


def test_every_prototype_is_told_of():
    head = small_model().head
    head.prototype_class[5] = -1
    train, test = random_scores(0, 9, 6, 3), random_scores(1, 12, 6, 3)
    nearest = [[ImagePatch('test', 0, 1, float(j), (0, 0), BOX)] for j in range(6)]
    test = replace(test, nearest=nearest)
    weight = head.last_layer.weight.detach()
    found = prototype_statistics(head, train, test, {2: ['beak'], 3: []}, {})
    alone = prototype_statistics(head, None, test, {}, {})
    for j, (one, other) in enumerate(zip(found, alone, strict=True)):
        label = j // 2 if j < 5 else -1
        assert (one.prototype, one.label) == (j, label)
        assert one.strongest_class == int(weight[:, j].argmax())
        assert one.weight == float(weight[label, j] if label >= 0 else weight[:, j].max())
        assert one.class_images == (int((train.labels == label).sum()) if label >= 0 else 0)
        assert one.nearest_train == train.nearest[j]
        assert one.nearest_test == other.nearest_test == nearest[j]
        assert one.parts == {2: ['beak'], 3: []}.get(j)
        assert (other.class_images, other.nearest_train, other.parts) == (0, [], None)


@pytest.mark.parametrize(
    ('fact', 'harmless', 'concern', 'serious'),
    [
        (('contrast', 0.05), 0.3, 'nearly blank', True),
        (('contrast', 0.22), 0.3, 'has little contrast', False),
        (('shared', (3, 4)), (1, 4), 'may be text, a marker or a frame', True),
        (('shared', (2, 2)), (1, 1), 'may be text, a marker or a frame', True),
        (('own_score', 1.82), 9.2, 'is not its training patch any more', True),
        (('from_same_image', [1, 2]), [1], 'is a patch of an image that others are', False),
        (('box_share', 0.6), 0.4, 'has a box over half the image', False),
        (('place', 'border'), 'inside', 'lies on the border', False),
        (('place', 'corner'), '', 'lies in a corner', False),
    ],
)
def test_concerns_that_need_no_parts(fact, harmless, concern, serious):
    name, value = fact
    one = statistics(**{name: value})
    (found,) = one.concerns
    assert found.kind.startswith(concern)
    assert found.serious == one.doubtful == serious
    assert statistics(**{name: harmless}).concerns == []


def test_a_score_near_zero_is_told_on_its_scale():
    far = [ImagePatch('test', 0, 1, 0.3, (0, 0), BOX)]
    (concern,) = statistics(nearest_test=far).concerns
    expected = 'resembles nothing in the test set: the highest score is 0.30 of 9.21'
    assert str(concern) == expected
    assert statistics(nearest_test=far, highest_score=1.0).concerns == []
    assert statistics(nearest_test=far, highest_score=0.0).concerns == []


def test_what_is_serious_comes_first():
    one = statistics(place='corner', contrast=0.0, duplicates=[3])
    assert [concern.serious for concern in one.concerns] == [True, False, False]
    assert statistics(weight=2.0, fires_own=0.25).use == 0.5
    nan = float('nan')
    assert statistics(weight=2.0, fires_own=nan, fires_other=0.5).use == 1.0
    assert statistics(fires_own=nan, fires_other=nan).use == 0.0
