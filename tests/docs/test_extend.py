"""What the page adds is saved as it says, and used in a training."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS, HOOKS, METRICS, MODELS
from mmpretrain.structures import DataSample
from PIL import Image

from tests.docs.code_blocks import code_blocks
from tests.toy import model_config, train_config

CONFIGS = Path(__file__).parents[2] / 'configs'


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """Saves the module and the config of a section, and loads the config."""
    modules = []
    monkeypatch.syspath_prepend(tmp_path)
    shutil.copytree(CONFIGS, tmp_path / 'configs')

    def save(section, name=None):
        *module, config = code_blocks('extend.md', section)
        if name is not None:
            (tmp_path / f'{name}.py').write_text(*module)
            modules.append(name)
        leaf = tmp_path / 'configs' / 'protopnet' / f'leaf_{name}.py'
        leaf.write_text(config)
        return Config.fromfile(leaf)

    yield save
    for registry in (DATASETS, HOOKS, METRICS, MODELS):
        for name, added in list(registry.module_dict.items()):
            if added.__module__ in modules:
                registry.module_dict.pop(name)
    for name in modules:
        del sys.modules[name]


def train(config):
    runner = Runner.from_cfg(config)
    runner.train()
    return runner


def test_a_similarity_is_trained_pushed_and_agrees_with_its_map(saved, tmp_path):
    similarity = saved('Your own similarity', 'gaussian_similarity').model.head.similarity
    assert similarity == dict(type='GaussianSimilarity', width=2.0)
    model = train(train_config(tmp_path, model=model_config(similarity=similarity))).model.eval()
    images = torch.rand(5, 3, 16, 16)
    feats = model.extract_feat(images)
    outputs = model.head.outputs(feats)
    maps = model.head.similarity_maps(feats)
    assert torch.equal(maps.flatten(2).amax(2), outputs.scores)
    points = model.head.last_layer.weight * outputs.scores[:, None]
    torch.testing.assert_close(points.sum(2), outputs.logits)
    assert bool(model.head.prototypes_are_patches)
    distances = ((outputs.feature_map[:, None] - model.head.prototype_vectors) ** 2).sum(2)
    torch.testing.assert_close(maps, 10 * torch.exp(-distances / 8), rtol=1e-4, atol=1e-4)


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


def test_a_loss_term_counts_in_a_step(saved):
    loss = saved('Your own loss term', 'margin_cost').model.head.loss
    log, prototypes = train_step(loss)
    plain_log, plain_prototypes = train_step({**loss, 'margin': None})
    assert log.keys() - plain_log.keys() == {'loss_margin'}
    assert log['loss_margin'] > 0
    assert log['loss'] == pytest.approx(plain_log['loss'] + log['loss_margin'])
    assert not torch.allclose(prototypes, plain_prototypes)


def test_the_settings_reach_the_loss_term(saved):
    loss = saved('Your own loss term', 'margin_cost').model.head.loss
    margin = MODELS.build(model_config(loss=loss)).head.loss_module.terms['margin']
    assert (margin.weight, margin.margin) == (0.1, 2.0)


def test_a_metric_is_told_at_validations_and_pushes(saved, tmp_path):
    evaluator = saved('Your own metric', 'prototype_usage').val_evaluator
    runner = train(train_config(tmp_path, val_evaluator=evaluator, log_level='INFO'))
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert 'Push: prototypes/used was' in log
    assert 'Push: accuracy/top1 was' in log
    metrics = runner.val_loop.run()
    model, dataset = runner.model.eval(), runner.val_dataloader.dataset
    batch = dict(
        inputs=torch.stack([dataset[i]['inputs'] for i in range(len(dataset))]), data_samples=None
    )
    feats = model.extract_feat(model.data_preprocessor(batch)['inputs'])
    best = model.head.outputs(feats).scores.argmax(dim=1).unique()
    assert metrics['prototypes/used'] == pytest.approx(100 * len(best) / 6)


def test_a_hook_sees_what_the_push_did(saved, tmp_path):
    hooks = saved('Your own hook', 'push_images_hook').custom_hooks
    runner = train(train_config(tmp_path, custom_hooks=hooks, log_level='INFO'))
    log = next(tmp_path.glob('*/*.log')).read_text()
    images = len(set(runner.model.head.prototype_image.tolist()))
    assert log.count('Push: the prototypes come from') == 1
    assert f'Push: the prototypes come from {images} images.' in log


def test_a_stage_trains_what_it_says_as_it_says(saved, tmp_path):
    wrapper = saved('Your own stage or solver').optim_wrapper
    runner = train(train_config(tmp_path, optim_wrapper=wrapper, log_level='INFO'))
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert runner.epoch == 1 + 13 + 4
    assert log.count("is a 'polish' epoch: neck, prototypes train") == 4
    assert isinstance(runner.optim_wrapper['polish'].optimizer, torch.optim.SGD)
    assert runner.optim_wrapper.schedule.pushes == {13, 17}
    assert runner.optim_wrapper.schedule.solvers_after(17) == ('last_layer',)
    assert bool(runner.model.head.prototypes_are_patches)


def test_a_data_set_is_trained_and_pushed_on(saved, tmp_path):
    root = tmp_path / 'table'
    root.mkdir()
    rng = np.random.default_rng(0)
    rows = ['path,class,split']
    for i in range(9):
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(root / f'{i}.png')
        rows.append(f'{i}.png,{"abc"[i % 3]},{"test" if i < 3 else "train"}')
    (root / 'images.csv').write_text('\n'.join(rows))

    config = saved('Your own data set', 'csv_dataset')
    small = {'num_workers': 0, 'persistent_workers': False, 'batch_size': 6}
    loaders = [f'{name}_dataloader' for name in ('train', 'push', 'val', 'test')]
    config.merge_from_dict(
        {f'{name}.{key}': value for name in loaders for key, value in small.items()}
        | {
            f'{name}.dataset.{"dataset." * (name == "train_dataloader")}data_root': str(root)
            for name in loaders
        }
        | {
            'train_dataloader.dataset.times': 1,
            'model.backbone.model_name': 'resnet10t',
            'model.backbone.pretrained': False,
            'optim_wrapper.schedule': dict(
                _delete_=True, warm_epochs=0, epochs=1, push_epochs=[0], last_layer_epochs=1
            ),
            'work_dir': str(tmp_path / 'work'),
            'log_level': 'ERROR',
        }
    )
    for name in loaders:
        config[name].collate_fn = dict(type='default_collate')
    runner = train(config)
    head = runner.model.head
    assert bool(head.prototypes_are_patches)
    # the push set has the rows 3 to 8, whose classes are a, b, c, a, b, c
    assert torch.equal(head.prototype_image % 3, head.prototype_class)
    assert runner.val_dataloader.dataset.metainfo['classes'] == ('a', 'b', 'c')
    assert len(runner.val_dataloader.dataset) == 3
