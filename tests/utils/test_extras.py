import sys

import pytest

from mmproto.errors import InputError
from mmproto.utils.extras import need


def test_a_missing_package_is_named_with_what_to_type(monkeypatch):
    need('explain', 'captum', 'sklearn')
    monkeypatch.setitem(sys.modules, 'captum', None)
    with pytest.raises(InputError, match=r"captum is not .*pip install 'mmproto\[explain\]'"):
        need('explain', 'captum', 'sklearn')
