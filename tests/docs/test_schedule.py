"""What the page on stages says, run."""

import shutil
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmpretrain.registry import MODELS, TASK_UTILS

from mmproto.engine import SparseLastLayer, build_schedule, build_stages
from tests.docs.code_blocks import code_blocks
from tests.toy import model_config

CONFIGS = Path(__file__).parents[2] / 'configs'


def settings_of(block):
    """What a block of the page, a config or keyword arguments of one, sets."""
    return Config.fromstring(block, '.py').to_dict()


def test_the_short_form_is_the_list_with_one_more_push():
    listed, short, *_ = code_blocks('schedule.md', 'Stages and schedules')
    optim_wrapper = settings_of(listed)['optim_wrapper']
    stages = build_stages(optim_wrapper['stages'])
    phases = build_schedule(optim_wrapper['schedule'], stages, tunes_last_layer=True).phases
    paper = build_schedule(settings_of(short)['schedule'], stages, tunes_last_layer=True).phases
    assert paper == (*phases, *phases[-2:])


def test_the_pages_stage_trains():
    (block,) = code_blocks('schedule.md', 'What a stage can say')
    model = model_config()
    model['backbone'] = dict(
        type='TIMMBackbone', model_name='test_resnet', features_only=True, out_indices=(-1,)
    )
    cfg = dict(
        constructor='ProtoPNetOptimWrapperConstructor',
        optimizer=dict(type='Adam'),
        schedule=[dict(stage='joint', epochs=1, push=True)],
        stages=settings_of(block),
    )
    wrapper = build_optim_wrapper(MODELS.build(model), cfg)
    rates = [
        group['lr']
        for group in wrapper['joint'].optimizer.param_groups
        if group['name'] == 'backbone'
    ]
    assert isinstance(wrapper['joint'].optimizer, torch.optim.AdamW)
    assert len(rates) > 2
    assert rates[-1] == pytest.approx(1e-4)
    assert rates[-2] == pytest.approx(0.75e-4)


@pytest.fixture
def solver_config(tmp_path, monkeypatch):
    """The page's config of a solver, loaded with the page's module beside."""
    module, config = code_blocks('schedule.md', 'A solver as a stage')
    (tmp_path / 'even_last_layer.py').write_text(module)
    shutil.copytree(CONFIGS, tmp_path / 'configs')
    leaf = tmp_path / 'configs' / 'protopnet' / 'resnet10t_birds_even.py'
    leaf.write_text(config)
    monkeypatch.syspath_prepend(tmp_path)
    yield Config.fromfile(leaf)
    del sys.modules['even_last_layer']
    TASK_UTILS.module_dict.pop('EvenLastLayer')


def test_the_pages_solver_takes_the_place_of_a_stage(solver_config):
    model = MODELS.build(model_config())
    wrapper = build_optim_wrapper(model, solver_config.optim_wrapper)
    assert wrapper.schedule.total_epochs == 14
    assert wrapper.schedule.solvers_after(13) == ('last_layer',)
    figures = wrapper.solvers['last_layer'](model, [])
    lengths = model.head.last_layer.weight.norm(dim=1)
    torch.testing.assert_close(lengths, torch.full_like(lengths, 2.0))
    assert figures['mean_length'] != pytest.approx(2.0)


def test_the_pages_convex_last_layer_is_a_solver_of_the_shipped_schedule(tmp_path):
    (config,) = code_blocks('schedule.md', 'The last layer, solved')
    base = CONFIGS / 'protopnet' / 'resnet10t_birds.py'
    (tmp_path / 'solved.py').write_text(f"_base_ = '{base}'\n{config}")
    optim_wrapper = Config.fromfile(tmp_path / 'solved.py').optim_wrapper
    wrapper = build_optim_wrapper(MODELS.build(model_config()), optim_wrapper)
    assert isinstance(wrapper.solvers['last_layer'], SparseLastLayer)
    assert wrapper.schedule.solvers_after(max(wrapper.schedule.pushes)) == ('last_layer',)
