from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.engine.hooks.precise_bn_hook import update_bn_stats
from mmpretrain.registry import HOOKS
from torch import Tensor, nn

from mmproto.errors import InputError
from mmproto.models import unwrap_model
from mmproto.models.batch_norm import norms_move

STATE = 'weight_average'  # in a checkpoint


@HOOKS.register_module()
class PushedEMAHook(Hook):
    """Averages the weights over the steps between two pushes, and pushes the averaged network.

    .. code:: python

        custom_hooks = [dict(type='PushedEMAHook', momentum=0.1), ...]

    MMEngine's ``EMAHook`` keeps the average beside the model that trains and validates the one
    while the other is pushed. Here the average takes the place of the weights before each push, and
    before each solver: it is what is pushed, solved, validated and saved, and what training goes on
    from. The next average begins with the next step, and with another stage. The optimizers keep
    their moments. Batch norm that moves has statistics of the weights as they were; they are
    computed anew on the training images.

    Args:
        momentum: Weight of the newest step, 1 / (number of steps that count). The first steps of
            an average are weighted alike, so a small number makes it the plain mean.

    Raises:
        InputError: If ``momentum`` is not between 0 and 1.
    """

    priority = 'ABOVE_NORMAL'  # before the push

    def __init__(self, momentum: float = 0.1) -> None:
        if not 0 < momentum < 1:
            raise InputError(
                f'PushedEMAHook.momentum={momentum}: give a number between 0 and 1, such as 0.1 '
                'for an average of some ten steps'
            )
        self.momentum = momentum
        self.steps = 0
        self.weights: dict[str, Tensor] = {}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take up an average that a resumed training had begun."""
        if runner._resume and STATE in checkpoint:
            self.steps, self.weights = checkpoint[STATE]['steps'], checkpoint[STATE]['weights']

    def before_train_epoch(self, runner: Runner) -> None:
        """Begin a new average after one that was used, and with another stage."""
        stages, epoch = runner.optim_wrapper.schedule.stages, runner.epoch
        if epoch and (_uses_average(runner, epoch - 1) or stages[epoch] != stages[epoch - 1]):
            self.steps, self.weights = 0, {}

    @torch.no_grad()
    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Let a step count."""
        self.steps += 1
        share = max(self.momentum, 1 / self.steps)
        for name, parameter in _trained(runner):
            if self.steps == 1:
                self.weights[name] = parameter.detach().clone()
            else:
                self.weights[name].lerp_(parameter, share)

    @torch.no_grad()
    def after_train_epoch(self, runner: Runner) -> None:
        """Put the average into the model, if a push or a solver follows."""
        if not _uses_average(runner, runner.epoch):
            return
        for name, parameter in _trained(runner):
            parameter.copy_(self.weights[name])
        model = unwrap_model(runner.model)
        model.head.constrain()
        if norms_move(model):
            update_bn_stats(model, runner.train_loop.dataloader, logger=runner.logger)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Save the average with the weights that training goes on with."""
        if not _uses_average(runner, checkpoint['meta']['epoch'] - 1):
            checkpoint[STATE] = dict(steps=self.steps, weights=self.weights)


def _trained(runner: Runner) -> list[tuple[str, nn.Parameter]]:
    """Return the parameters that the stage trains, by name."""
    parameters = unwrap_model(runner.model).named_parameters()
    return [(name, parameter) for name, parameter in parameters if parameter.requires_grad]


def _uses_average(runner: Runner, epoch: int) -> bool:
    schedule = runner.optim_wrapper.schedule
    return epoch in schedule.pushes or bool(schedule.solvers_after(epoch))
