"""A training of many epochs and pushes holds no more memory, files and threads than a short one."""

import json
import os
from pathlib import Path

import pytest
from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS

from mmproto.datasets.birds import make_birds
from tests.command import ROOT, run_command

CONFIG = """
_base_ = '{root}/configs/protopnet/resnet10t_birds.py'
custom_imports = dict(
    imports=['mmproto', 'tests.engine.test_long_training'], allow_failed_imports=False)
model = dict(
    backbone=dict(model_name='test_resnet', out_indices=(-1,)), head=dict(prototypes_per_class=1))
optim_wrapper = dict(schedule=dict(
    epochs={epochs}, push_epochs=[*range(4, {epochs}, 5), {epochs} - 1]))
custom_hooks = [
    *[hook for hook in _base_.custom_hooks if hook['type'] != 'PrototypeVisualizationHook'],
    dict(type='PrototypeVisualizationHook', keep_pushes=2),
    dict(type='NoteUsage'),
]
visualizer = dict(vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')])
"""


@HOOKS.register_module()
class NoteUsage(Hook):
    """Notes after every epoch what the training uses: bytes, open files, threads, files."""

    priority = 'LOWEST'

    def before_train_epoch(self, runner):
        if runner.epoch == 0:
            return
        rss = int(Path('/proc/self/statm').read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE')
        files = [path for path in Path(runner.work_dir).rglob('*') if path.is_file()]
        usage = dict(
            epoch=runner.epoch,
            megabytes=round(rss / 1e6),
            open_files=len(os.listdir('/proc/self/fd')),
            threads=len(os.listdir('/proc/self/task')),
            files=len(files),
            megabytes_of_files=round(sum(path.stat().st_size for path in files) / 1e6, 2),
        )
        with open(Path(runner.work_dir) / 'usage.json', 'a') as file:
            file.write(json.dumps(usage) + '\n')


def usage_of_training(folder, epochs):
    """What is used after each epoch, numbered from 1."""
    birds = make_birds(folder / 'birds', train=2, test=1, size=64)
    (folder / 'config.py').write_text(CONFIG.format(root=ROOT, epochs=epochs))
    code, text = run_command(
        'tools/train.py', folder / 'config.py', '--work-dir', folder / 'work', '--cfg-options',
        f'data_root={birds}', 'scale=64x64', OMP_NUM_THREADS='1',
    )  # fmt: skip
    assert code == 0, text
    lines = (folder / 'work' / 'usage.json').read_text().splitlines()
    return {usage['epoch']: usage for usage in map(json.loads, lines)}


@pytest.mark.slow
@pytest.mark.parametrize(('first', 'last'), [(16, 21), (21, 201)])
def test_a_long_training_uses_no_more_than_a_short_one(tmp_path, first, last):
    """After an early push and after a late one, with another two to come, which are drawn."""
    usage = usage_of_training(tmp_path, last + 8)
    early, late = usage[first], usage[last]
    for name in ('open_files', 'threads'):
        assert late[name] == early[name], (early, late)
    assert late['megabytes'] < early['megabytes'] + 30, (early, late)
    # A push leaves push.json for good.
    assert late['files'] - early['files'] <= (last - first) // 5, (early, late)
    assert late['megabytes_of_files'] < early['megabytes_of_files'] + 0.02 * last, (early, late)
    drawn = {path.parent for path in (tmp_path / 'work').glob('prototypes/*/*.jpg')}
    assert len(drawn) == 2
