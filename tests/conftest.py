from pathlib import Path

import pytest
from mmengine.registry import init_default_scope

import mmproto  # noqa: F401
import tests.toy  # noqa: F401

DATA = Path(__file__).parent / 'data'


@pytest.fixture(autouse=True)
def _mmpretrain_scope():
    init_default_scope('mmpretrain')


@pytest.fixture
def data_dir() -> Path:
    return DATA
