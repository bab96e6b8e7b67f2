from typing import Any

from mmengine.hooks import EarlyStoppingHook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from mmproto.errors import InputError

STATE = 'early_stopping'  # in a checkpoint


@HOOKS.register_module()
class PushedEarlyStoppingHook(EarlyStoppingHook):
    """Stops when pushed models get no better, and ends with a pushed one.

    .. code:: python

        custom_hooks = [
            dict(type='PushedEarlyStoppingHook', monitor='accuracy/top1', patience=3), ...]

    MMEngine's hook with its arguments, but it sees one validation of each push: that of the last
    epoch whose prototypes are training patches, when the last layer has been trained or solved. So
    ``patience`` counts pushes, and where the training stops nothing is left to be done. Checkpoints
    keep the count.

    Raises:
        InputError: If ``monitor`` is no metric of the validation or ``rule`` does not follow from
            it; before the training, if the schedule has no epoch but the last to stop after.
    """

    def __init__(self, monitor: str, rule: str | None = None, **settings: Any) -> None:
        try:
            super().__init__(monitor, rule, **settings)
        except ValueError:
            raise InputError(
                f'PushedEarlyStoppingHook: rule={rule!r} does not say what is better of '
                f"monitor={monitor!r}: set rule to 'greater' or 'less'"
            ) from None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take up the count of a resumed training."""
        if runner._resume and STATE in checkpoint:
            self.wait_count = int(checkpoint[STATE]['wait_count'])
            self.best_score = float(checkpoint[STATE]['best_score'])

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Save the count."""
        checkpoint[STATE] = dict(wait_count=self.wait_count, best_score=float(self.best_score))

    def before_run(self, runner: Runner) -> None:
        """Check that there is an epoch to stop after."""
        super().before_run(runner)
        schedule = runner.optim_wrapper.schedule
        if runner.val_loop is None:
            raise InputError('PushedEarlyStoppingHook needs a validation: set val_dataloader')
        if not schedule.pushed_ends - {schedule.total_epochs - 1}:
            raise InputError(
                'PushedEarlyStoppingHook would never stop: the schedule has no epoch before the '
                'last that ends with training patches as prototypes and a trained last layer; '
                'push more often, and leave norm_eval=False out of the stage after a push'
            )

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """Decide, after the last of the epochs that belong to a push."""
        if runner.epoch - 1 not in runner.optim_wrapper.schedule.pushed_ends:
            return
        if self.monitor not in metrics:
            raise InputError(
                f'PushedEarlyStoppingHook.monitor={self.monitor!r} is no metric of the validation: '
                f'it gives {sorted(metrics)}'
            )
        super().after_val_epoch(runner, metrics)
