"""Any mistake in a config is told before training, or is none: hypothesis makes the mistakes.

Each config trains two steps, pushes, saves, loads and explains, or is refused by a line that names
the setting. ``FUZZ=500`` draws as many configs, others each time.
"""

import copy
import os
import signal
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

from mmproto.apis import ProtoPNetInferencer, last_checkpoint, load_config
from mmproto.apis.config_check.checks import check_config
from mmproto.datasets.birds import make_birds
from mmproto.engine import build_schedule, build_stages
from mmproto.errors import InputError

LONG = 'FUZZ' in os.environ
SECONDS = 120
SMALL = {
    'model.backbone.model_name': 'test_resnet',
    'model.backbone.pretrained': False,
    'model.head.prototypes_per_class': 2,
    'optim_wrapper.schedule.warm_epochs': 0,
    'optim_wrapper.schedule.epochs': 1,
    'optim_wrapper.schedule.push_epochs': [0],
    'optim_wrapper.schedule.last_layer_epochs': 1,
    'train_dataloader.batch_size': 6,
    **{f'{name}_dataloader.num_workers': 0 for name in ('train', 'push', 'val', 'test')},
}
FOLDERS = ('resnet34_folder', 'resnet34_frozen_folder', 'resnet34_paper_folder')
CONFIGS = ['resnet10t_birds', 'resnet10t_paper_birds', *FOLDERS]
# Paths and names of variables of the files; what a mistake in them does is nobody's setting.
NOT_SETTINGS = ('work_dir', 'data_root', 'scale', 'img_path')
VALUES = [
    None, True, False, 'two', '', -1, 0, 1, 2.5, -0.5, 10**9, float('nan'), float('inf'), [], {},
    [1, 2], ['a'], dict(type='Nothing'), dict(type='Accuracy'), 'LoggerHook', 'Adam',
]  # fmt: skip


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """The birds, and a folder of class folders."""
    root = tmp_path_factory.mktemp('data')
    make_birds(root / 'birds', train=1, test=1, size=64)
    pixels = np.random.default_rng(0)
    for number in range(18):
        folder = root / 'images' / 'abc'[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        image = pixels.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(image).save(folder / f'{number}.png')
    return root


@pytest.fixture(scope='module')
def shipped(data):
    """The shipped configs, for a small network and few images."""
    return {name: small_config(name, data) for name in CONFIGS}


def small_config(name, data):
    own = 'birds' if 'birds' in name else 'images'
    options = {**SMALL, 'data_root': data / own, 'scale': '64x64'}
    if 'folder' in name and 'frozen' not in name:
        options['train_dataloader.dataset.least'] = 1
    cfg = load_config(f'protopnet/{name}.py', cfg_options=options, work_dir='unused')
    return {key: value for key, value in cfg.to_dict().items() if is_read(key)}


def is_read(key):
    """Whether it is a section, and no variable of the file."""
    return key.endswith(('_dataloader', '_evaluator', '_cfg', '_hooks')) or key in (
        'model', 'data_preprocessor', 'optim_wrapper', 'param_scheduler', 'auto_scale_lr',
        'default_scope', 'find_unused_parameters', 'visualizer', 'log_processor', 'log_level',
        'load_from', 'resume', 'randomness',
    )  # fmt: skip


def places(config, path=()):
    """Where a mistake can be made: the path of every setting."""
    items = config.items() if isinstance(config, dict) else enumerate(config)
    for key, value in items:
        if key not in NOT_SETTINGS:
            yield (*path, key)
            if isinstance(value, dict) or any(isinstance(one, dict | list) for one in _list(value)):
                yield from places(value, (*path, key))


def _list(value):
    return value if isinstance(value, list) else []


@st.composite
def mistakes(draw, configs):
    """Draw a config with a mistake, and where that is."""
    config = copy.deepcopy(configs[draw(st.sampled_from(sorted(configs)))])
    path = draw(st.sampled_from(list(places(config))))
    parent = config
    for key in path[:-1]:
        parent = parent[key]
    key = path[-1]
    kind = draw(st.sampled_from(['drop', 'misspell', 'value', 'value', 'text', 'swap']))
    if kind == 'drop':
        del parent[key]
    elif kind == 'misspell' and isinstance(key, str):
        place = draw(st.integers(0, len(key) - 1))
        parent[key[:place] + key[place + 1 :]] = parent.pop(key)
    elif kind == 'text' and isinstance(parent[key], str):
        parent[key] = parent[key][:-1] if draw(st.booleans()) else f'{parent[key]}x'
    elif kind == 'swap' and isinstance(parent, dict):
        other = draw(st.sampled_from(sorted(parent, key=str)))
        parent[key], parent[other] = parent[other], parent[key]
        path = (*path[:-1], key, other)
    else:
        parent[key] = draw(st.sampled_from(VALUES))
    return config, path, kind


class TooLongError(BaseException):
    """Beyond what any part of the check or of a training catches."""


@contextmanager
def at_most(seconds):
    """Stop what takes more of the processor's time, whatever else it does."""

    def stop(*_):
        raise TooLongError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def is_short(cfg):
    """Whether the training is one that a test has the time for; a long one is no mistake."""
    stages = build_stages(cfg.optim_wrapper.stages)
    workers = [cfg[f'{name}_dataloader'].get('num_workers', 0) for name in ('train', 'push')]
    sets = [cfg.train_dataloader.dataset.get(key, 1) for key in ('times', 'least')]
    epochs = build_schedule(cfg.optim_wrapper.schedule, stages, True).total_epochs
    val = cfg.get('val_dataloader') or {}
    return max(*workers, val.get('num_workers', 0)) == 0 and epochs < 25 and max(sets) < 100


def train_and_explain(cfg, image):
    """Train and explain an image; returns what only a step tells, such as of a learning rate."""
    try:
        Runner.from_cfg(cfg).train()
    except InputError as error:
        if not str(error).startswith('not finite in epoch'):
            raise
        return [str(error)]
    checkpoint = last_checkpoint(cfg.work_dir)
    if checkpoint is not None:  # a hook may save none
        (result,) = ProtoPNetInferencer(cfg, str(checkpoint))(str(image))
        assert np.isfinite(result['pred_score'])
    return []


def names(line, path):
    """Whether a line names the setting, by itself or by where it is."""
    words = [str(key) for key in path if not isinstance(key, int)]
    return any(word in line for word in words[-3:]) or words[0] in line


def check(config, path, folder, image):
    """Check a config, and train it if nothing was found; returns what was found."""
    cfg = Config({**config, 'work_dir': str(folder), 'log_level': config.get('log_level', 'ERROR')})
    with at_most(SECONDS):
        findings = [str(one) for one in check_config(cfg)]
        if not findings and is_short(cfg):
            findings = train_and_explain(cfg, image)
    for line in findings:
        assert '\n' not in line
        assert 'Traceback' not in line
    assert not findings or any(names(line, path) for line in findings), findings
    return findings


@pytest.mark.slow
def test_the_configs_without_a_mistake_train_and_explain(shipped, data, tmp_path):
    image = next((data / 'images').rglob('*.png'))
    for name, config in shipped.items():
        assert check(config, (), tmp_path / name, image) == []


@pytest.mark.slow
def test_every_mistake_is_told_or_is_none(shipped, data, tmp_path_factory):
    image = next((data / 'images').rglob('*.png'))
    told = []

    @settings(
        max_examples=int(os.environ.get('FUZZ', 30)),
        derandomize=not LONG,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(mistakes(shipped))
    def one(drawn):
        config, path, _ = drawn
        told.append(bool(check(config, path, tmp_path_factory.mktemp('work'), image)))

    one()
    assert any(told)


def test_a_mistake_is_named(shipped, tmp_path):
    config = copy.deepcopy(shipped['resnet34_folder'])
    config['model']['head']['similarty'] = config['model']['head'].pop('similarity')
    cfg = Config({**config, 'work_dir': str(tmp_path)})
    (finding,) = check_config(cfg)
    assert finding.setting == 'model.head.similarty'
    assert 'did you mean similarity?' in str(finding)
