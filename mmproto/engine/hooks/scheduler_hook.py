from typing import Any

from mmengine.hooks import ParamSchedulerHook
from mmengine.optim import _ParamScheduler
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS


@HOOKS.register_module()
class StagedParamSchedulerHook(ParamSchedulerHook):
    """Steps the parameter schedulers of the stage that is on, and no others.

    .. code:: python

        default_hooks = dict(param_scheduler=dict(type='StagedParamSchedulerHook'))
        param_scheduler = dict(
            joint=[dict(type='StepLR', step_size=5, gamma=0.1)],
            last_layer=[dict(type='CosineAnnealingLR')])

    So a scheduler counts the epochs, or iterations, of its own stage, and one without ``end`` (or
    ``T_max``) ends with the last of them. With a phase of ``restart=True`` the stage's learning
    rates and schedulers begin anew, and end with the phases up to the next restart.
    """

    def before_train_epoch(self, runner: Runner) -> None:
        """Let the schedulers begin anew, if the schedule says so."""
        wrapper = runner.optim_wrapper
        if runner.param_schedulers is None or runner.epoch not in wrapper.schedule.restarts:
            return
        for group in wrapper.active.optimizer.param_groups:
            initial = [key for key in group if key.startswith('initial_')]  # kept by schedulers
            group.update({key.removeprefix('initial_'): group[key] for key in initial})
        runner.param_schedulers = runner.build_param_scheduler(
            {**runner.param_schedulers, **runner.train_loop.schedulers_from(runner.epoch)}
        )

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Step the schedulers that count iterations."""
        for scheduler in self._active(runner):
            if not scheduler.by_epoch:
                scheduler.step()

    def after_train_epoch(self, runner: Runner) -> None:
        """Step the schedulers that count epochs."""
        for scheduler in self._active(runner):
            if scheduler.by_epoch:
                scheduler.step()

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Step the schedulers that look at the validation."""
        if metrics is None or isinstance(runner.optim_wrapper, dict):
            return
        for scheduler in self._active(runner):
            if scheduler.by_epoch and getattr(scheduler, 'need_val_args', False):
                scheduler.step(metrics)

    @staticmethod
    def _active(runner: Runner) -> list[_ParamScheduler]:
        if runner.param_schedulers is None:
            return []
        return runner.param_schedulers[runner.optim_wrapper.stage]
