import time
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.hooks import CheckpointHook, EarlyStoppingHook, EMAHook, ParamSchedulerHook
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmpretrain.registry import LOOPS
from torch import nn
from torch.utils.data import DataLoader

from mmproto.engine.hooks import (
    PrototypePushHook,
    PushedCheckpointHook,
    PushedEarlyStoppingHook,
    SolverHook,
    StagedParamSchedulerHook,
)
from mmproto.engine.param_schedulers import by_stage, ending
from mmproto.engine.schedule import Schedule, build_schedule
from mmproto.engine.stage import Stage, build_stages
from mmproto.engine.time_left import TimeLeft
from mmproto.errors import InputError
from mmproto.models import unwrap_model
from mmproto.models.batch_norm import norms_move, norms_to_eval


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
        InputError: If the schedule cannot be, see :func:`build_schedule`, ``max_epochs`` is
            given, ``param_scheduler`` names an unknown stage, or a hook does not know the stages.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        max_epochs: int | None = None,
        **kwargs: Any,
    ) -> None:
        if max_epochs is not None:
            raise InputError(
                f'train_cfg.max_epochs={max_epochs} is not taken: the number of epochs follows '
                'from optim_wrapper.schedule; leave it out'
            )
        self.stages, self.schedule = self._stages_and_schedule(runner)
        self.time_left = TimeLeft(self.schedule)
        super().__init__(runner, dataloader, max_epochs=self.schedule.total_epochs, **kwargs)
        if runner.param_schedulers is not None:
            self.scheduler_configs = by_stage(runner.param_schedulers, self.stages)
            runner.param_schedulers = {stage: [] for stage in self.stages}
            for stage in dict.fromkeys(self.schedule.stages):
                first = self.schedule.stages.index(stage)
                runner.param_schedulers |= self.schedulers_from(first)

    @staticmethod
    def _stages_and_schedule(runner: Runner) -> tuple[Mapping[str, Stage], Schedule]:
        wrapper = runner.optim_wrapper
        if not isinstance(wrapper, Mapping):
            return wrapper.stages, wrapper.schedule
        stages = build_stages(wrapper.get('stages'))
        head = unwrap_model(runner.model).head
        return stages, build_schedule(wrapper.get('schedule'), stages, head.tunes_last_layer)

    def schedulers_from(self, epoch: int) -> dict[str, list[dict]]:
        """Configs of the parameter schedulers that begin at an epoch, by the name of its stage."""
        stage, length = self.schedule.stages[epoch], self.schedule.run_length(epoch)
        configs = self.scheduler_configs[stage]
        return {stage: ending(configs, stage, length, len(self.dataloader))}

    def run(self) -> nn.Module:
        """Run all stages."""
        self.check_hooks()
        self._wrap_anew()
        if self.epoch:  # a validation of that epoch may be made up in its stage
            self._activate(self.epoch - 1)
        if not self.schedule.ends_with_patches:
            self.runner.logger.warning(
                'The last push is not the last thing that this schedule does to prototypes and '
                'patches: the final model will not compare with training patches, unless the '
                'network has no batch norm. The best checkpoint will; else change '
                'optim_wrapper.schedule, or run tools/push.py at the end.'
            )
        if self.epoch >= self.max_epochs:
            self.runner.logger.warning(
                f'All {self.max_epochs} epochs of the schedule are done: nothing is left to train. '
                'To go on, lengthen optim_wrapper.schedule; to begin anew, leave resume out.'
            )
        model = super().run()
        if not unwrap_model(model).head.prototypes_are_patches:
            self.runner.logger.warning(
                f'The training has ended after epoch {self.epoch} with prototypes that are no '
                'training patches: it cannot be explained by them. Run tools/push.py on the last '
                'checkpoint, or take the best one, if there is one.'
            )
        return model

    def run_epoch(self) -> None:
        """Run one epoch in its stage."""
        stage, wrapper = self.schedule.stages[self.epoch], self.runner.optim_wrapper
        self._activate(self.epoch)
        self.time_left.epoch_starts(self.epoch, time.monotonic())
        left = self.time_left.in_words(self.epoch)
        groups = dict.fromkeys(group['name'] for group in wrapper.active.optimizer.param_groups)
        self.runner.logger.info(
            f'Epoch {self.epoch + 1} of {self.max_epochs} is a {stage!r} epoch: '
            f'{", ".join(groups)} train{left and "; " + left}.'
        )
        super().run_epoch()

    def _activate(self, epoch: int) -> None:
        stage = self.schedule.stages[epoch]
        self.runner.optim_wrapper.activate(stage, self.runner.model, len(self.dataloader))

    def run_iter(self, idx: int, data_batch: Sequence[dict]) -> None:
        """Run one iteration; before the first, stop the norms that the stage wants still."""
        if idx == 0:
            # The parent has just put all of them to training.
            if self.stages[self.schedule.stages[self.epoch]].stops_norms:
                norms_to_eval(self.runner.model)
            if norms_move(self.runner.model):  # and patches with them; the head cannot know
                unwrap_model(self.runner.model).head.leave_patches()
        super().run_iter(idx, data_batch)

    def _wrap_anew(self) -> None:
        """Show DDP the parameters again, which a pruned checkpoint resizes when it is loaded."""
        runner = self.runner
        if is_model_wrapper(runner.model):
            model = unwrap_model(runner.model)
            runner.model = None  # the old wrapper's hooks go before there are new ones
            runner.model = runner.wrap_model(runner.cfg.get('model_wrapper_cfg'), model)

    def check_hooks(self) -> None:
        """Raise an InputError for hooks that are missing, or do not know the stages."""
        if not any(isinstance(hook, PrototypePushHook) for hook in self.runner.hooks):
            raise InputError(
                "nothing would push the prototypes: add dict(type='PrototypePushHook') to "
                'custom_hooks'
            )
        solvers = {phase.stage for phase in self.schedule.phases if not phase.epochs}
        if solvers and not any(isinstance(hook, SolverHook) for hook in self.runner.hooks):
            raise InputError(
                f"nothing would run {sorted(solvers)}: add dict(type='SolverHook') to custom_hooks"
            )
        for hook in self.runner.hooks:
            if isinstance(hook, EMAHook):
                raise InputError(
                    'custom_hooks has an EMAHook: an average of prototypes is no training patch; '
                    "take dict(type='PushedEMAHook'), whose average is what is pushed"
                )
            if isinstance(hook, EarlyStoppingHook) and not isinstance(
                hook, PushedEarlyStoppingHook
            ):
                raise InputError(
                    'custom_hooks has an EarlyStoppingHook: it would stop before a push, with '
                    'prototypes that are no training patches; set its type to '
                    "'PushedEarlyStoppingHook'"
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
