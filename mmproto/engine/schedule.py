"""What happens in which epoch: a pure function of the epoch number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from mmproto.errors import InputError

STAGES = ('warm', 'joint', 'last_layer')


@dataclass(frozen=True)
class Schedule:
    """The staged training of section 2.2: warm, joint, push, last layer.

    The reference counts the warm and joint epochs only; the runner counts the epochs of the last
    layer, which follow a push, as well. ``epochs`` and the push epochs are the reference's.

    Attributes:
        warm_epochs: Epochs that train the add-on layers and the prototypes alone, at the start.
        epochs: Number of warm and joint epochs.
        push_start: First epoch that may be followed by a push.
        push_interval: A push follows every epoch from then on that it divides.
        push_epochs: The epochs that are followed by a push, instead of start and interval.
        last_layer_epochs: Epochs of the last layer alone after every push.

    Raises:
        InputError: If a number cannot be, or no push would ever happen.
    """

    warm_epochs: int = 5
    epochs: int = 31
    push_start: int = 10
    push_interval: int = 10
    push_epochs: Sequence[int] | None = None
    last_layer_epochs: int = 20

    def __post_init__(self) -> None:
        least_values = dict(
            warm_epochs=0, epochs=1, push_start=0, push_interval=1, last_layer_epochs=0
        )
        for name, least in least_values.items():
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise InputError(
                    f'optim_wrapper.schedule.{name}={value!r}: it has to be a whole number, '
                    f'at least {least}'
                )
        if self.push_epochs is not None:
            self._check_push_epochs()
        elif not self.pushes:
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

    @cached_property
    def _timeline(self) -> tuple[tuple[str, ...], frozenset[int]]:
        """The stage of every runner epoch, and the runner epochs that a push follows."""
        stages: list[str] = []
        pushes = []
        for epoch in range(self.epochs):
            stages.append('warm' if epoch < self.warm_epochs else 'joint')
            if self._pushes_after(epoch):
                pushes.append(len(stages) - 1)
                stages += ['last_layer'] * self.last_layer_epochs
        return tuple(stages), frozenset(pushes)

    def _pushes_after(self, epoch: int) -> bool:
        if self.push_epochs is not None:
            return epoch in self.push_epochs
        return epoch >= self.push_start and epoch % self.push_interval == 0

    @property
    def stages(self) -> tuple[str, ...]:
        """The stage of every epoch that the runner runs."""
        return self._timeline[0]

    @property
    def pushes(self) -> frozenset[int]:
        """The runner's epochs that are followed by a push."""
        return self._timeline[1]

    @property
    def total_epochs(self) -> int:
        """Number of epochs that the runner runs."""
        return len(self.stages)

    @property
    def ends_with_patches(self) -> bool:
        """Whether the prototypes are training patches when the training is over."""
        return set(self.stages[max(self.pushes) + 1 :]) <= {'last_layer'}


def build_schedule(cfg: Mapping | None, tunes_last_layer: bool = True) -> Schedule:
    """Build the schedule from ``optim_wrapper.schedule``.

    Args:
        cfg: The settings.
        tunes_last_layer: Whether the last layer is trained after a push; the reference does not
            with its 'linear' similarity.

    Raises:
        InputError: If a key is unknown, or see :class:`Schedule`.
    """
    if cfg is None:
        raise InputError(
            "optim_wrapper lacks ['schedule']: configs/_base_/schedules/protopnet.py has one"
        )
    unknown = sorted(set(cfg) - set(Schedule.__dataclass_fields__))
    if unknown:
        raise InputError(
            f'optim_wrapper.schedule has unknown keys {unknown}: it takes '
            f'{sorted(Schedule.__dataclass_fields__)}'
        )
    settings = dict(cfg)
    if not tunes_last_layer:
        settings['last_layer_epochs'] = 0
    return Schedule(**settings)
