from contextlib import AbstractContextManager

from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn

from mmproto.engine.schedule import Schedule


class StagedOptimWrapper(OptimWrapperDict):
    """One optimizer wrapper a stage, of which one is active.

    What a training step asks for goes to the active one; checkpoints, schedulers and learning
    rate scaling see them all. Built by :class:`ProtoPNetOptimWrapperConstructor`.

    Args:
        schedule: Which stage is on in which epoch.
        groups: The model's trainable parameters by the name of their group.
        wrappers: An optimizer wrapper for each stage.
    """

    def __init__(
        self,
        schedule: Schedule,
        groups: dict[str, list[nn.Parameter]],
        wrappers: dict[str, OptimWrapper],
    ) -> None:
        super().__init__(**wrappers)
        self.schedule = schedule
        self.groups = groups
        self.stage: str | None = None

    def activate(self, stage: str, model: nn.Module, iterations: int) -> None:
        """Train the groups of a stage and freeze the others, for one epoch.

        Args:
            stage: Name of the stage.
            model: The model, for the warning about batch norm and gradient accumulation.
            iterations: Iterations of the epoch; what is left of an accumulation is used up at
                its end, so that a checkpoint has no gradients to keep.
        """
        self.stage = stage
        trained = {group['name'] for group in self.active.optimizer.param_groups}
        for name, parameters in self.groups.items():
            for parameter in parameters:
                parameter.requires_grad_(name in trained)
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

    def update_params(self, loss: Tensor, *args, **kwargs) -> None:
        """Take a step of the active wrapper."""
        self.active.update_params(loss, *args, **kwargs)

    def backward(self, loss: Tensor, **kwargs) -> None:
        """Propagate back with the active wrapper."""
        self.active.backward(loss, **kwargs)

    def step(self, **kwargs) -> None:
        """Step the active wrapper."""
        self.active.step(**kwargs)

    def zero_grad(self, **kwargs) -> None:
        """Clear the gradients of the active wrapper."""
        self.active.zero_grad(**kwargs)

    def optim_context(self, model: nn.Module) -> AbstractContextManager:
        """The active wrapper's context for autocast and gradient accumulation."""
        return self.active.optim_context(model)

    def get_lr(self) -> dict[str, list[float]]:
        """The learning rate of every group, 0 for the frozen ones.

        'lr' holds those that train: MMPretrain's ``analyze_logs.py`` knows a training line by it.
        """
        active = {group['name']: group['lr'] for group in self.active.optimizer.param_groups}
        rates = {f'{name}.lr': [active.get(name, 0.0)] for name in self.groups}
        return {'lr': list(active.values()), **rates}

    def get_momentum(self) -> dict[str, list[float]]:
        """The momentum of the active wrapper."""
        return self.active.get_momentum()
