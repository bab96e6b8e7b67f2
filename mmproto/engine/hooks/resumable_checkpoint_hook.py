from collections import deque
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from mmproto.engine.last_checkpoint import (
    LAST,
    last_checkpoint,
    note_last_checkpoint,
    whole_checkpoint,
)
from mmproto.engine.same_training import check_same_training, training_settings
from mmproto.errors import InputError
from mmproto.utils.checkpoint_file import checkpoint_folder
from mmproto.utils.files import make_writable

SETTINGS = 'training_settings'
VALIDATED = 'epoch_validated'  # a name that begins with 'val' would be logged as a metric


@HOOKS.register_module()
class ResumableCheckpointHook(CheckpointHook):
    """MMEngine's checkpoint hook, from whose checkpoints a killed training goes on exactly.

    .. code:: python

        default_hooks = dict(checkpoint=dict(type='ResumableCheckpointHook', interval=1))

    A checkpoint is removed only when the one after it is whole; ``last_checkpoint`` names it as
    seen from the working directory, which may be moved. ``resume=True`` takes the last one that is
    whole, and ``resume='auto'`` too, with which a training begins where there is none. A
    validation that was to follow the checkpoint, and of which it does not know, is made up.

    Raises:
        InputError: Before training, if ``out_dir`` cannot be written, or if ``resume`` is given a
            broken checkpoint, one without the state of a training, or one of another training.
    """

    keep_ckpt_ids: deque[int]
    _best_before: tuple[Any, ...] = ()  # to be removed once there is another one

    def before_run(self, runner: Runner) -> None:
        """Find what to go on from."""
        if self.out_dir is not None and '://' not in str(self.out_dir):
            folder = checkpoint_folder(self.out_dir, runner.work_dir)
            try:
                make_writable(Path(folder))
            except InputError as error:
                raise InputError(f'default_hooks.checkpoint.out_dir: {error}') from None
        if runner._resume:
            self._find_checkpoint(runner)

    @staticmethod
    def _find_checkpoint(runner: Runner) -> None:
        """Find the checkpoint to go on from; without one the training begins."""
        if runner._resume != 'auto' and runner._load_from is not None:
            whole_checkpoint(str(runner._load_from))
            return
        found = last_checkpoint(runner.work_dir)
        if found is None:
            runner._resume = False
            runner.logger.warning(
                f'resume: {runner.work_dir} has no checkpoint to go on from: the training begins.'
            )
        else:
            runner._load_from = str(found)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check that a training can go on from a checkpoint, before it is loaded."""
        if not runner._resume:
            return
        if 'message_hub' not in checkpoint:
            raise InputError(
                'resume: the checkpoint has weights but no state of a training; set load_from to '
                'it instead'
            )
        meta = checkpoint['meta']
        if SETTINGS in meta:
            given = _settings(runner)
            for line in check_same_training(meta[SETTINGS], given, meta['epoch']):
                runner.logger.warning(f'resume: the run is not what it would have been: {line}.')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note what training the checkpoint is of."""
        checkpoint['meta'][SETTINGS] = _settings(runner)

    def before_train(self, runner: Runner) -> None:
        """Take up the checkpoints that are there, or say that they will be overwritten.

        A validation that was lost is made up.
        """
        self._check_names(runner)
        if not runner._resume:
            self._warn_of_others(runner)
        super().before_train(runner)
        if runner.epoch and self.by_epoch:
            name = self.filename_tmpl.format(runner.epoch)
            self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
            info = runner.message_hub.runtime_info
            if info.get(VALIDATED) != runner.epoch and validation_is_due(runner):
                runner.logger.info(f'The validation of epoch {runner.epoch} is made up.')
                # As when the epoch's last iteration was over.
                info.update(epoch=runner.epoch - 1, iter=runner.iter - 1)
                runner.val_loop.run()

    def _check_names(self, runner: Runner) -> None:
        """Raise an InputError for a folder that is called as a file would be."""
        folder = Path(checkpoint_folder(self.out_dir, runner.work_dir))
        for path in [Path(runner.work_dir) / LAST, *folder.glob('*.pth')]:
            if path.is_dir():
                raise InputError(f'{path} is a folder where a file is to go: move it away')

    def _warn_of_others(self, runner: Runner) -> None:
        folder = checkpoint_folder(self.out_dir, runner.work_dir)
        others = sorted(Path(folder).glob('*.pth'), key=lambda file: file.stat().st_mtime)
        if others:
            runner.logger.warning(
                f'{folder} has {len(others)} checkpoints of another training, such as '
                f'{others[-1].name}: this one begins anew and overwrites those of the same name. '
                'To keep them stop now, and give another folder by --work-dir (work_dir), or go '
                'on with that training by --resume.'
            )

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """Keep the best checkpoint, which knows of the validation, as does the last one then."""
        runner.message_hub.update_info(VALIDATED, runner.epoch)
        super().after_val_epoch(runner, metrics)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """Save the best as the parent does, which is to remove the one before only afterwards."""
        if not self.save_best:
            return
        before = self._best_before = self._best
        self._best = (None,) * len(before)
        super()._save_best_checkpoint(runner, metrics)
        self._remove_best_before()
        self._best = tuple(new or old for new, old in zip(self._best, before))

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        """Save a checkpoint, name it the last, and then remove what is no longer kept."""
        # A new best is saved; were the old one removed later than the checkpoint that knows the
        # new one, a kill between the two would leave it for good.
        self._remove_best_before()
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        kept = []
        if self.max_keep_ckpts > 0:
            kept = [*(other for other in self.keep_ckpt_ids if other != step), step]
            # One more than is kept: if a kill spares it, the run that goes on removes it.
            runner.message_hub.update_info('keep_ckpt_ids', kept)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            note_last_checkpoint(Path(runner.work_dir), Path(self.last_ckpt))
        if self.max_keep_ckpts > 0:
            for old in kept[: -self.max_keep_ckpts]:
                self._remove(self.filename_tmpl.format(old))
            self.keep_ckpt_ids = deque(kept[-self.max_keep_ckpts :], self.max_keep_ckpts)
            runner.message_hub.update_info('keep_ckpt_ids', [*self.keep_ckpt_ids])

    @property
    def _best(self) -> tuple[Any, ...]:
        """Paths of the best checkpoints, one a metric; None where there is none."""
        if not self.save_best:
            return ()
        if len(self.key_indicators) == 1:
            return (self.best_ckpt_path,)
        return tuple(self.best_ckpt_path_dict.get(key) for key in self.key_indicators)

    @_best.setter
    def _best(self, paths: tuple[Any, ...]) -> None:
        if len(self.key_indicators) == 1:
            (self.best_ckpt_path,) = paths
        else:
            self.best_ckpt_path_dict.update(zip(self.key_indicators, paths))

    def _remove_best_before(self) -> None:
        for old, new in zip(self._best_before, self._best):
            if old and new and old != new:
                self._remove(Path(old).name)
        self._best_before = ()

    def _remove(self, name: str) -> None:
        path = self.file_backend.join_path(self.out_dir, name)
        if is_main_process() and self.file_backend.isfile(path):
            self.file_backend.remove(path)


def validation_is_due(runner: Runner) -> bool:
    """Whether a validation follows the epochs that have been trained, as the loop has it."""
    loop = runner.train_loop
    if runner.val_loop is None or runner.epoch < loop.val_begin:
        return False
    loop._decide_current_val_interval()
    return runner.epoch % loop.val_interval == 0 or runner.epoch == loop.max_epochs


def _settings(runner: Runner) -> str:
    schedule = getattr(runner.train_loop, 'schedule', None)
    return training_settings(runner.cfg.to_dict(), runner.world_size, schedule)
