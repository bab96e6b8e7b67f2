import logging
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook

from mmproto.engine.runner import QuietRunner
from tests.toy import train_config


class FillHook(Hook):
    """Fills a disk when the training begins."""

    def __init__(self, disk):
        self.disk = disk

    def before_train(self, runner):
        with suppress(OSError):
            (self.disk / 'block').write_bytes(bytes(2**20))


def move_logs(runner, disk):
    """Let the folder of a runner's log and curves be on a disk."""
    folder = runner.visualizer.get_backend('LocalVisBackend')._save_dir
    folder = Path(folder).parent
    (log,) = (one for one in runner.logger.handlers if isinstance(one, logging.FileHandler))
    log.close()
    shutil.copytree(folder, disk / 'logs')
    shutil.rmtree(folder)
    folder.symlink_to(disk / 'logs')
    log.stream = log._open()


@pytest.mark.filterwarnings('ignore::pytest.PytestUnhandledThreadExceptionWarning')  # TensorBoard's
def test_curves_and_log_that_cannot_be_written_do_not_end_a_training(tmp_path, small_disk, capfd):
    disk = small_disk(256)
    config = train_config(
        tmp_path / 'work',
        log_level='INFO',
        experiment_name='on_a_full_disk',
        visualizer=dict(
            type='UniversalVisualizer',
            vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')],
        ),
    )
    config['default_hooks']['logger'] = dict(type='LoggerHook', interval=1)
    runner = QuietRunner.from_cfg(config)
    move_logs(runner, disk)
    runner.register_hook(FillHook(disk))
    runner.train()
    text = ''.join(capfd.readouterr())
    assert 'Traceback' not in text
    for name in ('LocalVisBackend', 'TensorboardVisBackend'):
        assert text.count(f'{name} cannot write') == 1
    assert text.count('the log goes on here alone') == 1
    assert 'Saving checkpoint at 6 epochs' in text
    saved = torch.load(tmp_path / 'work' / 'epoch_6.pth')
    assert bool(saved['state_dict']['head.prototypes_are_patches'])
