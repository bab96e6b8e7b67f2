import pytest

from mmproto.datasets.data_root import data_folder
from mmproto.errors import InputError


def test_a_folder_stays_and_home_is_replaced(monkeypatch):
    monkeypatch.setenv('HOME', '/home/me')
    for folder in ('data/birds', '/data/my birds, all/', '../birds', 'C', '{{x}}'):
        assert data_folder(folder) == folder
    assert data_folder('~/birds') == data_folder('$HOME/birds') == '/home/me/birds'


@pytest.mark.parametrize(
    ('data_root', 'answer'),
    [
        ('', 'data_root is empty: give the folder'),
        ('C:\\data', 'as Windows writes it'),
        ('d:/data', 'as Windows writes it'),
        ('\\\\server\\data', 'as Windows writes it'),
        (__file__, 'is a file: give the folder of the data; unpack an archive'),
    ],
)
def test_what_is_no_folder_is_said(data_root, answer):
    with pytest.raises(InputError, match=answer):
        data_folder(data_root)
