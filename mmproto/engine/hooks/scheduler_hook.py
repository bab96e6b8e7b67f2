from mmengine.hooks import ParamSchedulerHook
from mmengine.optim import _ParamScheduler
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS


@HOOKS.register_module()
class StagedParamSchedulerHook(ParamSchedulerHook):
    """Steps the parameter schedulers of the stage that is on, and no others.

    .. code:: python

        default_hooks = dict(param_scheduler=dict(type='StagedParamSchedulerHook'))
        param_scheduler = dict(joint=[dict(type='StepLR', step_size=5, gamma=0.1)])

    So a scheduler counts the epochs, or iterations, of its own stage.
    """

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
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
