import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.runner import Runner

from mmproto.engine.optimizers import mixed_precision
from mmproto.engine.optimizers.mixed_precision import use_mixed_precision
from mmproto.errors import InputError
from tests.toy import train_config


def in_bfloat16(work_dir):
    config = ConfigDict(train_config(work_dir))
    use_mixed_precision(config.optim_wrapper, 'auto')
    return config


def test_the_network_computes_in_bfloat16_and_the_head_in_fp32(tmp_path):
    runner, seen = Runner.from_cfg(in_bfloat16(tmp_path)), []
    model = runner.model

    def note(head, arguments, outputs):
        if model.training:
            seen.append((arguments[0][-1].dtype, outputs['loss_cls'].dtype))

    loss = model.head.loss
    model.head.loss = lambda *given: note(model.head, given, found := loss(*given)) or found
    runner.train()
    assert set(seen) == {(torch.bfloat16, torch.float32)}
    state = torch.load(tmp_path / 'epoch_6.pth')
    assert {value.dtype for value in state['state_dict'].values() if value.is_floating_point()} == {
        torch.float32
    }
    assert all('loss_scaler' not in stage for stage in state['optimizer'].values())
    assert bool(state['state_dict']['head.prototypes_are_patches'])


FLOAT16 = dict(type='AmpOptimWrapper', dtype='float16', loss_scale='dynamic')
BFLOAT16 = dict(type='BFloat16OptimWrapper')


@pytest.mark.parametrize(
    ('device', 'dtype', 'wrapper', 'found'),
    [
        ('cpu', 'auto', dict(type='OptimWrapper'), BFLOAT16),
        ('cpu', 'bfloat16', {**FLOAT16}, BFLOAT16),
        ('cuda', 'bfloat16', dict(type='OptimWrapper'), BFLOAT16),
        ('cuda', 'auto', dict(type='OptimWrapper'), FLOAT16),
        ('cuda', 'float16', dict(loss_scale=2.0), {**FLOAT16, 'loss_scale': 2.0}),
    ],
)
def test_device_and_dtype_decide_on_the_wrapper(monkeypatch, device, dtype, wrapper, found):
    monkeypatch.setattr(mixed_precision, 'get_device', lambda: device)
    use_mixed_precision(wrapper, dtype)
    assert wrapper == found


def test_a_dtype_that_a_cpu_does_not_train_in_is_refused():
    with pytest.raises(InputError, match='on a CPU take --amp bfloat16'):
        use_mixed_precision(dict(type='OptimWrapper'), 'float16')
