import pytest
from PIL import Image

from mmproto.apis.benchmark.cost import Cost
from mmproto.apis.benchmark.tables import plot, ratio_table, time_table

SERIES = {
    60: {'bare backbone': Cost(0.5, 50), 'linear head': Cost(1, 100), 'ProtoPNet': Cost(1.1, 125)},
    2000: {'bare backbone': Cost(1, 50), 'linear head': Cost(2, 100), 'ProtoPNet': Cost(4, 300)},
}


def test_ratios_are_to_the_linear_head():
    *_, header, rule, first, second, end = ratio_table('A step', 'prototypes', SERIES).split('\n')
    assert header.startswith('| prototypes | linear head, ms | bare backbone | ProtoPNet | ')
    assert header.count('|') == rule.count('|') == first.count('|')
    assert first == '| 60 | 1,000.0 | 0.50 | 1.10 | 100 | 0.50 | 1.25 |'
    assert second == '| 2,000 | 2,000.0 | 0.50 | 2.00 | 100 | 0.50 | 3.00 |'
    assert end == ''


def test_seconds_are_beside_the_first():
    lines = time_table('A push', {'forward': 2.0, 'push': 3.0}).splitlines()
    assert lines[0] == 'A push:'
    assert lines[-2:] == ['| forward | 2.000 | 1.00 |', '| push | 3.000 | 1.50 |']


def test_the_plot_is_an_image(tmp_path):
    pytest.importorskip('matplotlib')
    plot({'one image': SERIES, 'a step': SERIES}, tmp_path / 'plot.png')
    with Image.open(tmp_path / 'plot.png') as image:
        assert image.size == (900, 320)
        assert len(image.convert('RGB').getcolors(2**20)) > 10
