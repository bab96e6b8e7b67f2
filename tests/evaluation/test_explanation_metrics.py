import json

import pytest
from mmengine.runner import Runner

from mmproto.errors import InputError
from tests.command import ROOT, run_command
from tests.pushed_birds import birds_fixture, checkpoint_fixture, config_fixture  # noqa: F401
from tests.toy import train_config

CONFIG = ROOT / 'configs/protopnet/resnet10t_birds.py'


def evaluate(config, checkpoint, out, *options, launcher=None, **env):
    launch = {} if launcher is None else dict(launcher=launcher)
    status, text = run_command(
        ROOT / 'tools/evaluate_explanations.py', CONFIG, checkpoint, '--out', out, *options,
        DATA_ROOT=config.data_root, **launch, **env,
    )  # fmt: skip
    assert status == 0, text
    return text, json.loads((out / 'explanations.json').read_text())


@pytest.fixture(scope='module', name='evaluated')
def evaluated_fixture(config, checkpoint, tmp_path_factory):
    return evaluate(config, checkpoint, tmp_path_factory.mktemp('evaluated'))


def test_the_tool_prints_and_writes_every_figure(evaluated):
    text, found = evaluated
    assert found['missing'] == ['interventions', 'part_sets']
    for figure in found['figures'].values():
        assert figure['title'] in text
        if figure['low'] is not None:
            assert figure['low'] <= figure['value'] <= figure['high']
    exact = {name for name, figure in found['figures'].items() if figure['low'] is None}
    assert exact == {'prototypes_used', 'last_layer_sparsity', 'duplicates'}
    assert f'took {found["forward_passes"]} forward passes' in text


@pytest.mark.slow
def test_three_processes_find_the_same(evaluated, config, checkpoint, tmp_path):
    launcher = ('torchrun', '--nproc_per_node=3', '--master_port=29677')
    _, found = evaluate(
        config, checkpoint, tmp_path, '--launcher', 'pytorch', '--cfg-options',
        'env_cfg.dist_cfg.backend=gloo', launcher=launcher,
    )  # fmt: skip
    assert found['figures'] == evaluated[1]['figures']


def toy_test(folder, **changes):
    """A test of a small model on images of noise, which do not say their number."""
    config = train_config(folder)
    test = dict(
        test_dataloader=config['val_dataloader'],
        test_cfg={},
        test_evaluator=dict(type='ExplanationMetrics'),
        custom_hooks=[dict(type='ExplanationHook')],
    )
    kept = ('model', 'work_dir', 'default_scope', 'experiment_name', 'log_level')
    return Runner.from_cfg({**{name: config[name] for name in kept}, **test, **changes}).test()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(custom_hooks=[]), "add dict\\(type='ExplanationHook'\\) to custom_hooks"),
        ({}, "end the test pipeline with dict\\(type='PackInputs'\\)"),
        (
            dict(test_evaluator=dict(type='ExplanationMetrics', measures=['trust'])),
            "measures has 'trust': choose among",
        ),
        (
            dict(
                model=dict(
                    type='LinearClassifier',
                    backbone=dict(type='ConvBackbone', channels=8),
                    head=dict(type='LinearClsHead', num_classes=3, in_channels=8),
                )
            ),
            'needs prototypes, and model.head is a LinearClsHead',
        ),
    ],
)
def test_what_cannot_be_measured_is_said(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        toy_test(tmp_path, **changes)
