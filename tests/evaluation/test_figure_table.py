import json

import numpy as np
import pytest

from mmproto.evaluation.figure import Estimate, Figure
from mmproto.evaluation.figure_table import (
    figure_table,
    figures_in_words,
    worst_prototypes,
    write_figures,
)

NAN = float('nan')
SHARE = Figure(
    name='share',
    title='A share',
    estimate=Estimate(0.25, 0.2, 0.3125),
    meaning='What it means.',
    chance={'the middle': 0.5, 'none': NAN},
    of_prototypes=np.array([0.5, NAN, 0.1, 0.1]),
)
COUNT = Figure('count', 'A count', Estimate(2, NAN, NAN), 'Few.', {}, False, 0, np.array([1, 3]))


def test_a_share_has_three_decimals_and_an_interval_and_a_count_neither():
    assert figure_table([SHARE, COUNT]).splitlines()[2:] == [
        '| A share ↑ | 0.250 | 0.200 to 0.312 | the middle 0.500, none - | What it means. |',
        '| A count ↓ | 2 |  |  | Few. |',
    ]
    assert figures_in_words([SHARE, COUNT]).splitlines() == [
        'A share   0.250  (0.200 to 0.312)   the middle 0.500, none -',
        'A count       2',
    ]


def test_the_worst_are_the_lowest_or_the_highest_and_never_the_unknown():
    assert worst_prototypes(SHARE) == [2, 3, 0]
    assert worst_prototypes(SHARE, count=1) == [2]
    assert worst_prototypes(COUNT) == [1, 0]
    assert worst_prototypes(Figure('none', '', SHARE.estimate, '')) == []


def test_what_is_not_known_is_null_in_the_file(tmp_path):
    write_figures([SHARE, COUNT], ['purity'], 7, 70, tmp_path / 'new')
    data = json.loads((tmp_path / 'new/explanations.json').read_text())
    assert data['missing'] == ['purity']
    assert data['figures']['share']['of_prototypes'] == [0.5, None, 0.1, 0.1]
    assert data['figures']['share']['chance'] == {'the middle': 0.5, 'none': None}
    count = data['figures']['count']
    assert (count['value'], count['low'], count['high']) == (pytest.approx(2), None, None)
    assert 'for want of annotations: purity' in (tmp_path / 'new/explanations.md').read_text()
