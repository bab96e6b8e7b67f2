from math import nan

import pytest

from mmproto.analysis.prototype_statistics import PrototypeStatistics
from mmproto.visualization.report_words import fires_in_words


@pytest.mark.parametrize(
    ('label', 'own', 'other', 'words'),
    [
        (2, 0.5, 0.1, 'Fires on 50 % of its class, 10 % of the others.'),
        (2, nan, 0.1, 'Its class has no test image; fires on 10 % of the others.'),
        (2, 0.5, nan, 'Fires on 50 % of its class; there is no other test image.'),
        (-1, nan, 0.1, 'Fires on 10 % of all test images.'),
    ],
)
def test_fires_in_words(label, own, other, words):
    one = PrototypeStatistics(
        prototype=0,
        name='',
        label=label,
        weight=1.0,
        class_images=3,
        fires_own=own,
        fires_other=other,
        score_own=8.0,
        score_other=2.0,
        nearest_train=[],
        nearest_test=[],
        duplicates=[],
        parts=None,
        strongest_class=2,
        strongest_weight=1.0,
        highest_score=9.21,
        from_same_image=[],
    )
    assert fires_in_words(one) == words
