import os
import pickle

import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmproto.compat import allow_log_history


class Reaches:
    """Unpickles to an attribute of the log history."""

    def __init__(self, name, owner=HistoryBuffer):
        self.name, self.owner = name, owner

    def __reduce__(self):
        return getattr, (self.owner, self.name)


class Runs:
    def __reduce__(self):
        return os.system, ('true',)


def test_a_log_history_survives_a_safe_load(tmp_path):
    history = HistoryBuffer([1.0, 3.0], [1, 1])
    history.update(5.0)
    torch.save(dict(history=history, path=Reaches('mean')), tmp_path / 'x.pth')
    loaded = torch.load(tmp_path / 'x.pth', weights_only=True)
    assert loaded['history'].mean() == 3
    assert loaded['history'].statistics('max') == 5
    assert loaded['path'] is HistoryBuffer.mean


@pytest.mark.parametrize('value', [Runs(), Reaches('__init__'), Reaches('__class__', [])])
def test_nothing_else_does(tmp_path, value):
    allow_log_history()
    torch.save(dict(value=value), tmp_path / 'x.pth')
    with pytest.raises((pickle.UnpicklingError, ValueError)):
        torch.load(tmp_path / 'x.pth')
