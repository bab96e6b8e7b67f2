from base64 import b64decode

import numpy as np
import pytest

from mmproto.visualization import edit_data
from mmproto.visualization.edit_data import in_base64


@pytest.mark.parametrize('piece', [1, 7, 100])
def test_the_pieces_are_the_numbers_in_order(monkeypatch, piece):
    monkeypatch.setattr(edit_data, 'NUMBERS', piece)
    array = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    pieces = in_base64(array.T)
    assert len(pieces) == -(-20 // piece)
    back = np.frombuffer(b''.join(b64decode(each) for each in pieces), '<f4')
    assert (back.reshape(4, 5) == array.T).all()
