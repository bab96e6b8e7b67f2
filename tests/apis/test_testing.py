import json

import mmengine
import numpy as np
import pytest
import torch
from matplotlib import pyplot
from mmengine.config import Config

from mmproto.apis.testing import augment, output_item, show, write_metrics
from mmproto.errors import InputError


@pytest.mark.parametrize(
    ('file', 'item', 'expected'),
    [
        ('a.pkl', None, 'pred'),
        ('a.json', None, 'metrics'),
        ('a.yaml', None, 'metrics'),
        ('a.pkl', 'metrics', 'metrics'),
        ('a.pkl', 'pred', 'pred'),
        ('a.json', 'metrics', 'metrics'),
    ],
)
def test_the_name_of_a_file_says_what_goes_to_it(file, item, expected):
    assert output_item(file, item) == expected


@pytest.mark.parametrize(('file', 'item'), [('a.json', 'pred'), ('a.txt', None), ('a', 'metrics')])
def test_what_a_file_cannot_hold_is_refused(file, item):
    with pytest.raises(InputError, match='--out'):
        output_item(file, item)


def test_windows_need_a_display(monkeypatch):
    monkeypatch.setattr(pyplot, 'get_backend', lambda: 'agg')
    with pytest.raises(InputError, match='--show has no display'):
        show(Config({}), True, None, 1, 2)
    with pytest.raises(InputError, match='--wait-time -1'):
        show(Config({}), False, 'x', 1, -1)
    cfg = Config(dict(default_hooks=None))
    show(cfg, False, 'x', 1, 2)
    assert cfg.default_hooks.visualization.out_dir == 'x'


def test_metrics_of_every_kind_are_written(tmp_path):
    metrics = dict(
        accuracy=50.0,
        matrix=torch.eye(2, dtype=torch.long),
        curve=np.array([0.5, 1]),
        best=np.float64(0.25),
        nested=dict(recall=[torch.tensor(1.0)]),
    )
    files = [str(tmp_path / name) for name in ('m.json', 'm.pkl')]
    write_metrics(metrics, files)
    plain = dict(
        accuracy=50.0,
        matrix=[[1, 0], [0, 1]],
        curve=[0.5, 1.0],
        best=0.25,
        nested=dict(recall=[1.0]),
    )
    assert json.loads((tmp_path / 'm.json').read_text()) == plain
    assert mmengine.load(files[1]) == plain


def test_a_configs_own_views_are_taken():
    pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    own = [dict(type='LoadImageFromFile'), dict(type='TestTimeAug')]
    cfg = Config(
        dict(
            model=dict(type='ProtoPNet'),
            test_dataloader=dict(dataset=dict(pipeline=pipeline)),
            tta_pipeline=own,
            tta_model=dict(type='MyTTA', weight=2),
        )
    )
    augment(cfg)
    assert cfg.test_dataloader.dataset.pipeline == own
    assert cfg.model == dict(type='MyTTA', weight=2, module=dict(type='ProtoPNet'))
