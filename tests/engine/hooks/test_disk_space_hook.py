import logging
import shutil

import pytest
import torch
from mmengine.runner import Runner

from mmproto.engine.hooks.disk_space_hook import checkpoint_bytes
from mmproto.errors import InputError
from tests.toy import train_config

HOOKS = ['PrototypePushHook', 'DiskSpaceHook', 'SolverHook', 'PrototypeVisualizationHook']


def runner_in(work_dir, **checkpoint):
    config = train_config(work_dir, custom_hooks=[dict(type=name) for name in HOOKS])
    config['experiment_name'] = work_dir.parent.parent.name
    config['default_hooks']['checkpoint'].update(checkpoint)
    return Runner.from_cfg(config)


def before_training(runner):
    """Run the hook as a training does, without the training."""
    said = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())
    runner.logger.addHandler(handler)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner._val_loop = runner.build_val_loop(runner._val_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    for hook in runner.hooks:
        if type(hook).__name__ in HOOKS:
            hook.before_train(runner)
    return [text for text in said if 'room' in text]


def drawing_hook(runner):
    return next(hook for hook in runner.hooks if type(hook).__name__ == HOOKS[-1])


@pytest.mark.parametrize(('keep', 'at_once'), [(-1, 6), (2, 3)])
def test_what_is_counted_is_what_a_training_holds(tmp_path, keep, at_once):
    runner = runner_in(tmp_path, max_keep_ckpts=keep)
    runner.train()
    counted = checkpoint_bytes(runner)
    saved = torch.load(tmp_path / 'epoch_6.pth')
    moments = [
        value
        for optimizer in saved['optimizer'].values()
        for state in optimizer['state'].values()
        for value in state.values()
        if value.ndim  # not the step
    ]
    weights = sum(tensor.nbytes for tensor in saved['state_dict'].values())
    assert counted == at_once * (weights + sum(value.nbytes for value in moments)) + 2 * weights
    assert drawing_hook(runner).bytes_to_write(runner) == 0  # no push is left
    runner.train_loop._epoch = 0
    assert drawing_hook(runner).bytes_to_write(runner) == 2 * 6 * 16 * 16


def test_a_disk_without_room_for_the_checkpoints_is_refused(small_disk):
    disk = small_disk(400)
    runner = runner_in(disk / 'work')
    assert before_training(runner) == []
    (disk / 'block').write_bytes(bytes(shutil.disk_usage(disk).free))
    with pytest.raises(InputError, match=r'checkpoints will take .* room for 0.0 MB: make room'):
        before_training(runner)


def test_where_the_pictures_alone_are_too_many_it_is_a_warning(small_disk):
    disk = small_disk(400)
    runner = runner_in(disk / 'work')
    before_training(runner)
    drawing_hook(runner).bytes_to_write = lambda runner: 10**6
    (said,) = before_training(runner)
    assert '1.0 MB of them pictures' in said
    assert 'the last pictures will be missing' in said
