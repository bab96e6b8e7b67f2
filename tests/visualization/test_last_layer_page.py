import pytest

from mmproto.analysis.last_layer_path import LastLayerPath, PathPoint
from mmproto.visualization.last_layer_page import print_path, write_path


@pytest.fixture
def path():
    return LastLayerPath(
        [
            PathPoint(1e-1, 0, 80 / 96, 1.0, 0.5, 2e-7, 100),
            PathPoint(2.5e-2, 7, 95 / 96, 0.9, 0.4, 3e-7, 200),
            PathPoint(1e-3, 1234, 1.0, 0.5, 0.1, 4e-7, 300),
        ],
        possible=5000,
        images=96,
        origin='every <fifth>',
    )


def test_the_recommended_price_is_reasoned(path):
    assert path.recommended.connections == 7
    assert path.reason() == (
        'Recommended: l1_weight=0.025, the sparsest within one standard error (1.4) of the best '
        'accuracy on the held-out images (100.0 %): 99.0 % with 7 of 5000 connections to other '
        'classes.'
    )


def test_the_table_marks_it(path, capsys):
    print_path(path)
    marked = [line for line in capsys.readouterr().out.splitlines() if '*' in line]
    assert len(marked) == 1
    assert '2.50e-02' in marked[0]
    assert '98.96' in marked[0]


def test_the_page_shows_all_and_escapes(path, tmp_path):
    write_path(path, '<b>model.pth', tmp_path / 'path.html')
    page = (tmp_path / 'path.html').read_text(encoding='utf-8')
    assert '&lt;b&gt;model.pth' in page
    assert '<b>model.pth' not in page
    assert 'every &lt;fifth&gt;' in page
    assert page.count('<tr class="chosen"><td>2.50e-02</td>') == 1
    assert '<td>1234</td>' in page
    assert 'Plotly.newPlot' in page
