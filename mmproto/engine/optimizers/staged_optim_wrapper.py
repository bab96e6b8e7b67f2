from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmproto.engine.schedule import Schedule
from mmproto.engine.stage import Stage
from mmproto.models import ProtoPNet

Solver = Callable[[ProtoPNet, DataLoader], dict[str, float]]


class StagedOptimWrapper(OptimWrapperDict):
    """One optimizer wrapper a stage, of which one is active.

    What a training step asks for goes to the active one; checkpoints, schedulers and learning
    rate scaling see them all. Built by :class:`ProtoPNetOptimWrapperConstructor`.

    Args:
        schedule: Which stage is on in which epoch.
        stages: The stages by their names.
        groups: The model's trainable parameters by the name of their group.
        wrappers: An optimizer wrapper for each stage that trains.
        solvers: The solver of each stage that is one.
    """

    def __init__(
        self,
        schedule: Schedule,
        stages: Mapping[str, Stage],
        groups: Mapping[str, list[nn.Parameter]],
        wrappers: Mapping[str, OptimWrapper],
        solvers: Mapping[str, Solver],
    ) -> None:
        super().__init__(**wrappers)
        self.schedule = schedule
        self.stages = stages
        self.groups = groups
        self.solvers = solvers
        self.stage: str | None = None

    def activate(self, stage: str, model: ProtoPNet, iterations: int) -> None:
        """Train the parameters of a stage and freeze the others, for one epoch.

        Args:
            stage: Name of the stage.
            model: The model, for the warning about batch norm and gradient accumulation.
            iterations: Iterations of the epoch; what is left of an accumulation is used up at
                its end, so that a checkpoint has no gradients to keep.
        """
        self.stage = stage
        param_groups = self.active.optimizer.param_groups
        trained = {id(parameter) for group in param_groups for parameter in group['params']}
        for parameters in self.groups.values():
            for parameter in parameters:
                parameter.requires_grad_(id(parameter) in trained)
                parameter.grad = None
        self.active.initialize_count_status(model, 0, iterations)

    @property
    def active(self) -> OptimWrapper:
        """The wrapper of the stage that is on."""
        if self.stage is None:
            raise RuntimeError(
                "no stage is on: ProtoPNet is trained by train_cfg=dict(type='StagedTrainLoop')"
            )
        return self.optim_wrappers[self.stage]

    def update_params(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Take a step of the active wrapper."""
        self.active.update_params(loss, *args, **kwargs)

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Propagate back with the active wrapper."""
        self.active.backward(loss, **kwargs)

    def step(self, **kwargs: Any) -> None:
        """Step the active wrapper."""
        self.active.step(**kwargs)

    def zero_grad(self, **kwargs: Any) -> None:
        """Clear the gradients of the active wrapper."""
        self.active.zero_grad(**kwargs)

    def optim_context(self, model: ProtoPNet) -> AbstractContextManager:
        """Return the active wrapper's context for autocast and gradient accumulation."""
        return self.active.optim_context(model)

    def get_lr(self) -> dict[str, list[float]]:
        """Return the learning rate of every group, of its layers the largest, 0 if frozen.

        'lr' holds those that train: MMPretrain's ``analyze_logs.py`` knows a training line by it.
        """
        active: dict[str, float] = {}
        for group in self.active.optimizer.param_groups:
            active[group['name']] = max(group['lr'], active.get(group['name'], 0.0))
        rates = {f'{name}.lr': [active.get(name, 0.0)] for name in self.groups}
        return {'lr': list(active.values()), **rates}

    def get_momentum(self) -> dict[str, list[float]]:
        """Return the momentum of the active wrapper."""
        return self.active.get_momentum()
