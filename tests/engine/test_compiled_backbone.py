import copy

import pytest
import torch
from mmpretrain.registry import MODELS

from mmproto.engine.compiled_backbone import compile_backbone, leave_uncompiled
from mmproto.engine.runner import QuietRunner
from mmproto.errors import InputError
from tests.toy import train_config


@pytest.fixture(autouse=True)
def _nothing_compiled_before():
    torch._dynamo.reset()


@pytest.fixture
def backbone():
    return MODELS.build(dict(type='ConvBackbone', channels=4, batch_norm=True))


def trained(work_dir, **changes):
    runner = QuietRunner.from_cfg(train_config(work_dir, **changes))
    runner.train()
    return runner.model


def test_a_compiled_training_is_the_same(tmp_path):
    plain = trained(tmp_path / 'plain').state_dict()
    model = trained(tmp_path / 'compiled', compile=dict(backend='aot_eager'))
    assert 'forward' not in vars(model.backbone)
    saved = torch.load(tmp_path / 'compiled' / 'epoch_6.pth')['state_dict']
    assert [*saved] == [*plain]
    for name, value in plain.items():
        torch.testing.assert_close(saved[name], value, rtol=1e-3, atol=1e-4, equal_nan=True)


def test_training_mode_alone_is_compiled(backbone):
    graphs, image = [], torch.rand(2, 3, 8, 8)

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    compile_backbone(backbone, dict(backend=backend))
    backbone.eval()(image)
    assert not graphs
    backbone.train()(image)
    assert len(graphs) == 1
    for parameter in backbone.parameters():  # as another stage freezes them
        parameter.requires_grad_(False)
    assert not backbone(image)[0].requires_grad
    leave_uncompiled(backbone)
    other = copy.deepcopy(backbone)
    with torch.no_grad():
        other.conv.weight.zero_()
    assert not torch.equal(other(image)[0], backbone(image)[0])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ('yes', r"compile='yes': give True, or a dict of options"),
        (dict(backend='none'), r"compile={'backend': 'none'}: Invalid backend"),
        (dict(mode='fast'), r'compile={.*}: '),
        (dict(speed=1), r'compile={.*}: .*speed'),
    ],
)
def test_options_that_cannot_be_are_refused(backbone, options, message):
    with pytest.raises(InputError, match=message):
        compile_backbone(backbone, options)


def test_a_missing_compiler_is_named(backbone, monkeypatch):
    monkeypatch.setenv('CXX', 'no-compiler')
    with pytest.raises(InputError, match=r'no C\+\+ compiler no-compiler: install it'):
        compile_backbone(backbone, True)
