"""The loss term of the page, saved and used as the page says."""

import shutil
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from tests.docs.code_blocks import code_blocks
from tests.toy import model_config

CONFIGS = Path(__file__).parents[2] / 'configs'


@pytest.fixture
def page_config(tmp_path, monkeypatch):
    """The page's config, loaded with the page's module beside."""
    module, config = code_blocks('extend_loss.md', 'Your own loss term')
    (tmp_path / 'margin_cost.py').write_text(module)
    shutil.copytree(CONFIGS, tmp_path / 'configs')
    leaf = tmp_path / 'configs' / 'protopnet' / 'resnet10t_birds_margin.py'
    leaf.write_text(config)
    monkeypatch.syspath_prepend(tmp_path)
    yield Config.fromfile(leaf)
    del sys.modules['margin_cost']
    MODELS.module_dict.pop('MarginCost')


def train_step(loss):
    """One step of a small model: what it logs, and the prototypes after it."""
    torch.manual_seed(0)
    model = MODELS.build(model_config(loss=loss))
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    data = dict(
        inputs=torch.randint(256, (4, 3, 16, 16)),
        data_samples=[DataSample().set_gt_label(label) for label in (0, 1, 2, 0)],
    )
    log = model.train_step(data, wrapper)
    return {key: value.item() for key, value in log.items()}, model.head.prototype_vectors


def test_a_step_with_the_pages_term_counts_it_in(page_config):
    loss = page_config.model.head.loss
    log, prototypes = train_step(loss)
    plain_log, plain_prototypes = train_step({**loss, 'margin': None})
    assert log.keys() - plain_log.keys() == {'loss_margin'}
    assert log['loss_margin'] > 0
    assert log['loss'] == pytest.approx(plain_log['loss'] + log['loss_margin'])
    assert not torch.allclose(prototypes, plain_prototypes)


def test_the_pages_settings_reach_the_term(page_config):
    margin = MODELS.build(model_config(loss=page_config.model.head.loss)).head.loss_module.terms[
        'margin'
    ]
    assert (margin.weight, margin.margin) == (0.1, 2.0)
