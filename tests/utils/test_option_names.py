import pytest

from mmproto.errors import InputError
from mmproto.utils.option_names import check_names

CONFIG = dict(
    train_cfg=dict(val_interval=1),
    optim_wrapper=dict(schedule=dict(epochs=3), stages=dict()),
    custom_hooks=[dict(type='PrototypePushHook')],
    load_from=None,
)


@pytest.mark.parametrize(
    ('option', 'meant'),
    [
        ('optim_wrapper.schedul.epochs', 'optim_wrapper.schedule.epochs'),
        ('optim_wrapper.schedule.epoch', 'optim_wrapper.schedule.epochs'),
        ('optimwrapper.schedule.epochs', 'optim_wrapper.schedule.epochs'),
        ('custom_hooks.0.typ', 'custom_hooks.0.type'),
    ],
)
def test_a_misspelt_name_is_answered_with_what_was_meant(option, meant):
    with pytest.raises(InputError, match=f'{option}: no config has .* did you mean {meant}\\?'):
        check_names(CONFIG, [option])


@pytest.mark.parametrize(
    'option',
    [
        'optim_wrapper.schedule.epochs',
        'optim_wrapper.clip_grad.max_norm',
        'test_cfg.fp16',
        'custom_hooks.0.interval',
        'custom_hooks.7.type',
        'load_from',
        'load_from.file',
    ],
)
def test_names_of_a_config_and_new_ones_pass(option):
    check_names(CONFIG, [option])
