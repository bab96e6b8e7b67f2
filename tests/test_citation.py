"""CITATION.cff names this version and the paper."""

from pathlib import Path

import mmengine

import mmproto

CITATION = Path(__file__).parents[1] / 'CITATION.cff'


def test_the_version_is_the_packages():
    assert mmengine.load(CITATION, file_format='yaml')['version'] == mmproto.__version__


def test_the_paper_has_its_authors():
    (paper,) = mmengine.load(CITATION, file_format='yaml')['references']
    names = ['Chen', 'Li', 'Tao', 'Barnett', 'Su', 'Rudin']
    assert [author['family-names'] for author in paper['authors']] == names
