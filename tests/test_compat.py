import os
import pickle
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import mmcv
import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader

from mmproto.compat import allow_log_history, get_installed_path, is_installed
from mmproto.errors import InputError


def python(*lines, site=None):
    """What a fresh Python prints, with a folder of its own on the path."""
    path = os.pathsep.join(map(str, [*filter(None, [site]), *sys.path]))
    done = subprocess.run(
        [sys.executable, '-c', '\n'.join(lines)],
        env={**os.environ, 'PYTHONPATH': path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert 'MultiScaleDeformableAttention' not in done.stderr
    return done.stdout.splitlines()[-1]


class Reaches:
    """Unpickles to an attribute of the log history."""

    def __init__(self, name, owner=HistoryBuffer):
        self.name, self.owner = name, owner

    def __reduce__(self):
        return getattr, (self.owner, self.name)


class Runs:
    def __init__(self, command='true'):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


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


def test_mmengine_loads_no_checkpoint_that_runs_code(tmp_path):
    torch.save(dict(value=Runs(f'touch {tmp_path}/ran')), tmp_path / 'x.pth')
    with pytest.raises(InputError, match='cannot be read as a checkpoint'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'x.pth'))
    assert not (tmp_path / 'ran').exists()


def test_a_config_inherits_from_mmpretrain_without_setuptools(tmp_path):
    config = tmp_path / 'config.py'
    config.write_text("_base_ = 'mmpretrain::_base_/models/resnet18.py'")
    depth = python(
        'import sys',
        "sys.modules['pkg_resources'] = None",
        'import mmproto',
        'from mmengine.config import Config',
        f'print(Config.fromfile({str(config)!r}).model.backbone.depth)',
    )
    assert depth == '18'


@pytest.mark.parametrize('name', ['mmpretrain', 'tests', 'importlib-metadata'])
def test_a_package_is_found_by_its_name_or_its_distribution(name):
    assert is_installed(name)
    assert Path(get_installed_path(name), '__init__.py').is_file()


def test_a_package_that_is_not_there_is_not_found():
    assert is_installed('pillow')
    assert not is_installed('no-such-package')
    with pytest.raises(PackageNotFoundError):
        get_installed_path('no-such-package')
    assert not is_installed('tests.data')
    with pytest.raises(RuntimeError, match='no folder'):
        get_installed_path('tests.data')


@pytest.mark.parametrize(('transformers', 'kept'), [('4.51.3', True), ('5.0.0', False)])
def test_multimodal_models_are_left_out_where_transformers_is_too_new(tmp_path, transformers, kept):
    for name, version in (('pycocotools', '2.0.11'), ('transformers', transformers)):
        metadata = tmp_path / f'{name}-{version}.dist-info' / 'METADATA'
        metadata.parent.mkdir()
        metadata.write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')
    before_and_after = python(
        'from mmpretrain.utils import dependency',
        'before = dependency.WITH_MULTIMODAL',
        'import mmproto',
        'from mmpretrain.registry import MODELS',
        "dependency.WITH_MULTIMODAL or MODELS.get('ProtoPNetHead').__name__",
        'print(before, dependency.WITH_MULTIMODAL)',
        site=tmp_path,
    )
    assert before_and_after == f'True {kept}'


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
def test_a_hue_turns_back_as_it_turns_on(backend):
    image = np.full((2, 2, 3), (30, 60, 200), np.uint8)
    on = mmcv.adjust_hue(image, 0.1, backend=backend)
    back = mmcv.adjust_hue(on, -0.1, backend=backend)
    assert np.abs(on.astype(int) - image).max() > 50
    assert np.abs(back.astype(int) - image).max() < 20  # hues are rounded four times
    with pytest.raises(ValueError, match='hue_factor'):
        mmcv.adjust_hue(image, -0.6, backend=backend)
