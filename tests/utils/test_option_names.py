import re

import pytest

from mmproto.utils.option_names import misspelt_names

CONFIG = dict(
    train_cfg=dict(val_interval=1),
    optim_wrapper=dict(schedule=dict(epochs=3), stages=dict()),
    custom_hooks=[dict(type='PrototypePushHook')],
    load_from=None,
)
SECTIONS = {'train_cfg', 'test_cfg', 'optim_wrapper', 'custom_hooks', 'load_from'}


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
    line = misspelt_names(CONFIG, [option], SECTIONS)[option]
    assert re.search(f'{option}: no config has .* did you mean {meant}\\?', line)


@pytest.mark.parametrize(
    'option',
    [
        'optim_wrapper.schedule.epochs',
        'optim_wrapper.clip_grad.max_norm',
        'test_cfg.fp16',
        'custom_hooks.0.interval',
        'load_from',
    ],
)
def test_names_of_a_config_and_new_ones_pass(option):
    assert misspelt_names(CONFIG, [option], SECTIONS) == {}


def test_what_nothing_reads_is_found():
    line = misspelt_names(CONFIG, ['xyz.a'], SECTIONS)['xyz.a']
    assert 'xyz.a has no effect: nothing reads xyz' in line


def test_a_variable_of_the_file_is_answered_with_the_place_that_it_went_to():
    pipeline = [dict(type='RandomFlip', prob=0.5)]
    dataset = dict(pipeline=[*pipeline], num_classes=7)
    config = dict(CONFIG, steps=pipeline, num_classes=7, mine=7, train_dataloader=dict(set=dataset))
    for option, place in dict(
        {'steps.0.prob': 'train_dataloader.set.pipeline'},
        num_classes='train_dataloader.set.num_classes',
    ).items():
        line = misspelt_names(config, [option], SECTIONS)[option]
        assert re.search(f'{option} has no effect: .* such as {place}$', line)
    assert misspelt_names(config, ['mine'], SECTIONS) == {}  # a hook of the user's may read it


def test_what_is_below_no_dict_is_found():
    line = misspelt_names(CONFIG, ['load_from.file'], SECTIONS)['load_from.file']
    assert 'load_from is None, no dict to set something in' in line


@pytest.mark.parametrize('option', ['custom_hooks.7.type', 'custom_hooks.typ', 'custom_hooks.-1'])
def test_what_is_no_item_of_a_list_is_found(option):
    line = misspelt_names(CONFIG, [option], SECTIONS)[option]
    assert 'custom_hooks is a list of 1: ' in line


def test_all_that_is_wrong_is_found_at_once():
    names = ['modle.x', 'optim_wrapper.schedul', 'nothing.y']
    assert [*misspelt_names(CONFIG, names, SECTIONS)] == names
