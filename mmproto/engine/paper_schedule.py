from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmproto.engine.stage import Stage
from mmproto.errors import InputError

LAST_LAYER = Stage(dict(last_layer={}))
MOST_EPOCHS = 100_000  # of a whole schedule, which is laid out epoch by epoch


@dataclass(frozen=True)
class PaperSchedule:
    """The staged training of section 2.2 by its numbers: warm, joint, push, last layer.

    The reference counts the warm and joint epochs only, from 0; ``epochs`` and the push epochs
    are such numbers.

    .. code:: python

        schedule=dict(warm_epochs=5, epochs=31, push_start=10, push_interval=10,
                      last_layer_epochs=20)

    Attributes:
        warm_epochs: Epochs of the stage 'warm', at the start.
        epochs: Number of epochs of 'warm' and 'joint'.
        push_start: First epoch that may be followed by a push.
        push_interval: A push follows every epoch from then on that it divides.
        push_epochs: The epochs that are followed by a push, instead of start and interval.
        last_layer_epochs: Epochs of the stage 'last_layer' after every push.
        last_push: Whether one more push ends a training whose last-layer epochs let batch norm
            gather statistics, which carries the patches away from the prototypes. The reference
            has none and ends with prototypes that are near training patches.

    Raises:
        InputError: If a number cannot be, or no push would ever happen.
    """

    warm_epochs: int = 5
    epochs: int = 31
    push_start: int = 10
    push_interval: int = 10
    push_epochs: Sequence[int] | None = None
    last_layer_epochs: int = 20
    last_push: bool = True

    def __post_init__(self) -> None:
        least_values = dict(
            warm_epochs=0, epochs=1, push_start=0, push_interval=1, last_layer_epochs=0
        )
        for name, least in least_values.items():
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= MOST_EPOCHS:
                raise InputError(
                    f'optim_wrapper.schedule.{name}={value!r}: it has to be an integer, '
                    f'at least {least} and at most {MOST_EPOCHS}'
                )
        if self.warm_epochs > self.epochs:
            raise InputError(
                f'optim_wrapper.schedule.warm_epochs={self.warm_epochs} of epochs={self.epochs}: '
                'the warm epochs are among the epochs; lower the one or raise the other'
            )
        if not isinstance(self.last_push, bool):
            raise InputError(
                f'optim_wrapper.schedule.last_push={self.last_push!r}: it has to be True or False'
            )
        if self.push_epochs is not None:
            self._check_push_epochs()
        elif not any(map(self._pushes_after, range(self.epochs))):
            raise InputError(
                f'optim_wrapper.schedule never pushes: no epoch from push_start={self.push_start} '
                f'to {self.epochs - 1} is a multiple of push_interval={self.push_interval}; lower '
                'push_start, raise epochs, or give push_epochs=[...]'
            )

    def _check_push_epochs(self) -> None:
        epochs = self.push_epochs
        if (
            not isinstance(epochs, Sequence)
            or not epochs
            or not all(type(epoch) is int for epoch in epochs)
        ):
            raise InputError(
                f'optim_wrapper.schedule.push_epochs={epochs!r}: give a list of epochs, such as '
                '[10,20,30]'
            )
        late = [epoch for epoch in epochs if not 0 <= epoch < self.epochs]
        if late:
            raise InputError(
                f'optim_wrapper.schedule.push_epochs has {late}, but the epochs run from 0 to '
                f'{self.epochs - 1}: raise schedule.epochs or change the push epochs'
            )

    def _pushes_after(self, epoch: int) -> bool:
        if self.push_epochs is not None:
            return epoch in self.push_epochs
        return epoch >= self.push_start and epoch % self.push_interval == 0

    def phases(self, last_layer: Stage = LAST_LAYER) -> list[dict]:
        """Return the same as the list of phases that ``optim_wrapper.schedule`` takes as well.

        Args:
            last_layer: The stage 'last_layer': a solver has no epochs.
        """
        tune: dict[str, Any] = dict(stage='last_layer')
        if last_layer.solver is None:
            tune |= dict(epochs=self.last_layer_epochs, restart=True)
        phases: list[dict] = []
        first = 0
        for epoch in range(self.epochs):
            push = self._pushes_after(epoch)
            if push or epoch + 1 in (self.warm_epochs, self.epochs):
                stage = 'warm' if epoch < self.warm_epochs else 'joint'
                phases.append(dict(stage=stage, epochs=epoch + 1 - first, push=push))
                first = epoch + 1
            if push and self.last_layer_epochs:
                phases.append(tune)
        if self.last_push and not last_layer.keeps_patches and phases[-1] is tune:
            phases[-1] = dict(tune, push=True)
        return phases
