import time
from collections.abc import Mapping

import torch
from mmengine.hooks import CheckpointHook, EMAHook, ParamSchedulerHook
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmpretrain.registry import LOOPS
from torch.utils.data import DataLoader

from mmproto.engine.hooks import PrototypePushHook, PushedCheckpointHook, StagedParamSchedulerHook
from mmproto.engine.schedule import STAGES, Schedule, build_schedule
from mmproto.engine.time_left import TimeLeft
from mmproto.errors import InputError
from mmproto.models import unwrap_model


@LOOPS.register_module()
class StagedTrainLoop(EpochBasedTrainLoop):
    """Trains as many epochs as ``optim_wrapper.schedule`` has, each in its stage.

    .. code:: python

        train_cfg = dict(type='StagedTrainLoop', val_interval=1)

    The stage follows from the epoch, so a resumed run needs nothing replayed.

    Args:
        runner: The runner.
        dataloader: The training data, built or its config.
        max_epochs: Not taken; the number of epochs follows from the schedule.
        **kwargs: ``val_begin``, ``val_interval`` and ``dynamic_intervals`` of the parent.

    Raises:
        InputError: If the schedule cannot be, see :class:`Schedule`, ``max_epochs`` is given, or
            a hook does not know the stages.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        max_epochs: int | None = None,
        **kwargs,
    ) -> None:
        if max_epochs is not None:
            raise InputError(
                f'train_cfg.max_epochs={max_epochs} is not taken: the number of epochs follows '
                'from optim_wrapper.schedule; leave it out'
            )
        self.schedule = self._schedule(runner)
        self.time_left = TimeLeft(self.schedule)
        if isinstance(runner.param_schedulers, dict) and 'type' not in runner.param_schedulers:
            for stage in STAGES:  # MMEngine looks every stage up
                runner.param_schedulers.setdefault(stage, [])
        super().__init__(runner, dataloader, max_epochs=self.schedule.total_epochs, **kwargs)

    @staticmethod
    def _schedule(runner: Runner) -> Schedule:
        wrapper = runner.optim_wrapper
        if not isinstance(wrapper, Mapping):
            return wrapper.schedule
        head = unwrap_model(runner.model).head
        return build_schedule(wrapper.get('schedule'), head.tunes_last_layer)

    def run(self) -> torch.nn.Module:
        """Run all stages."""
        self._check_hooks()
        self._wrap_anew()
        if not self.schedule.ends_with_patches:
            self.runner.logger.warning(
                'The last push is not the last thing that this schedule does to the prototypes: '
                'the final model will not compare with training patches. The best checkpoint '
                'will; else change optim_wrapper.schedule, or run tools/push.py at the end.'
            )
        return super().run()

    def run_epoch(self) -> None:
        """Run one epoch in its stage."""
        stage = self.schedule.stages[self.epoch]
        wrapper = self.runner.optim_wrapper
        wrapper.activate(stage, self.runner.model, len(self.dataloader))
        self.time_left.epoch_starts(self.epoch, time.monotonic())
        left = self.time_left.in_words(self.epoch)
        groups = [group['name'] for group in wrapper.active.optimizer.param_groups]
        self.runner.logger.info(
            f'Epoch {self.epoch + 1} of {self.max_epochs} is a {stage!r} epoch: '
            f'{", ".join(groups)} train{left and "; " + left}.'
        )
        super().run_epoch()

    def _wrap_anew(self) -> None:
        """Show DDP the parameters again, which a pruned checkpoint resizes when it is loaded."""
        runner = self.runner
        if is_model_wrapper(runner.model):
            model = unwrap_model(runner.model)
            runner.model = None  # the old wrapper's hooks go before there are new ones
            runner.model = runner.wrap_model(runner.cfg.get('model_wrapper_cfg'), model)

    def _check_hooks(self) -> None:
        if not any(isinstance(hook, PrototypePushHook) for hook in self.runner.hooks):
            raise InputError(
                "nothing would push the prototypes: add dict(type='PrototypePushHook') to "
                'custom_hooks'
            )
        for hook in self.runner.hooks:
            if isinstance(hook, EMAHook):
                raise InputError(
                    'custom_hooks has an EMAHook: an average of prototypes is no training patch; '
                    'remove it'
                )
            if (
                isinstance(hook, ParamSchedulerHook)
                and self.runner.param_schedulers is not None
                and not isinstance(hook, StagedParamSchedulerHook)
            ):
                raise InputError(
                    'default_hooks.param_scheduler would step the schedulers of every stage in '
                    "each epoch: set it to dict(type='StagedParamSchedulerHook')"
                )
            if (
                isinstance(hook, CheckpointHook)
                and hook.save_best
                and not isinstance(hook, PushedCheckpointHook)
            ):
                raise InputError(
                    'default_hooks.checkpoint has save_best and could keep a model whose '
                    "prototypes are no training patches: set its type to 'PushedCheckpointHook'"
                )
