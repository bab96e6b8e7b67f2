"""What happens in which epoch: a pure function of the epoch number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

from mmproto.engine.paper_schedule import LAST_LAYER, MOST_EPOCHS, PaperSchedule
from mmproto.engine.stage import Stage
from mmproto.errors import InputError


@dataclass(frozen=True)
class Phase:
    """Some epochs of one stage, or one run of a stage that is a solver.

    Attributes:
        stage: Name of the stage.
        epochs: Number of epochs; 0 for a solver.
        push: Whether a push follows the last of them.
        restart: Whether the stage's learning rates and parameter schedulers begin anew.
    """

    stage: str
    epochs: int = 0
    push: bool = False
    restart: bool = False


@dataclass(frozen=True)
class Schedule:
    """The phases of a training, one after another.

    .. code:: python

        schedule=[
            dict(stage='warm', epochs=5),
            dict(stage='joint', epochs=6, push=True),  # a push after the last of the six
            dict(stage='last_layer', epochs=20, restart=True)]

    Attributes:
        phases: The phases.
        keeps_patches: Stages that leave prototypes that are training patches as they are.

    Raises:
        InputError: If no push would ever happen, or it is too long.
    """

    phases: tuple[Phase, ...]
    keeps_patches: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        total = sum(phase.epochs for phase in self.phases)
        if total > MOST_EPOCHS:
            raise InputError(
                f'optim_wrapper.schedule has {total} epochs: it can have at most {MOST_EPOCHS}'
            )
        if not self.pushes:
            raise InputError(
                'optim_wrapper.schedule never pushes: give one of its phases push=True'
            )

    @cached_property
    def stages(self) -> tuple[str, ...]:
        """The stage of every epoch that the runner runs."""
        return tuple(phase.stage for phase in self.phases for _ in range(phase.epochs))

    @cached_property
    def _ends(self) -> tuple[int, ...]:
        """The runner's last epoch when each phase is over."""
        counts = [phase.epochs for phase in self.phases]
        return tuple(sum(counts[: number + 1]) - 1 for number in range(len(counts)))

    @cached_property
    def pushes(self) -> frozenset[int]:
        """The runner's epochs that are followed by a push."""
        return frozenset(end for end, phase in zip(self._ends, self.phases) if phase.push)

    @cached_property
    def restarts(self) -> frozenset[int]:
        """The runner's epochs at whose start the schedulers of their stage begin anew."""
        return frozenset(
            end + 1 - phase.epochs for end, phase in zip(self._ends, self.phases) if phase.restart
        )

    def solvers_after(self, epoch: int) -> tuple[str, ...]:
        """Return the solvers that run after an epoch of the runner, and after its push."""
        return tuple(
            phase.stage
            for end, phase in zip(self._ends, self.phases)
            if end == epoch and not phase.epochs
        )

    def run_length(self, epoch: int) -> int:
        """How many epochs of its stage an epoch and the later ones are, up to the next restart."""
        stage = self.stages[epoch]
        later = (other for other in self.restarts if other > epoch and self.stages[other] == stage)
        return self.stages[epoch : min(later, default=self.total_epochs)].count(stage)

    @property
    def total_epochs(self) -> int:
        """Number of epochs that the runner runs."""
        return len(self.stages)

    @cached_property
    def pushed_ends(self) -> frozenset[int]:
        """The runner's epochs after which prototypes are patches, and nothing belongs to the push.

        What follows moves prototypes or patches; or it is the end.
        """
        pushed, ends = False, []
        for epoch, (stage, following) in enumerate(zip(self.stages, [*self.stages[1:], None])):
            pushed = epoch in self.pushes or (pushed and stage in self.keeps_patches)
            if pushed and following not in self.keeps_patches:
                ends.append(epoch)
        return frozenset(ends)

    @property
    def ends_with_patches(self) -> bool:
        """Whether the prototypes are training patches when the training is over."""
        return self.total_epochs - 1 in self.pushed_ends


def build_schedule(
    cfg: Mapping | Sequence[Mapping] | None, stages: Mapping[str, Stage], tunes_last_layer: bool
) -> Schedule:
    """Build the schedule from ``optim_wrapper.schedule``.

    Args:
        cfg: A list of phases, or the numbers of a :class:`PaperSchedule`.
        stages: The stages by their names.
        tunes_last_layer: Whether the last layer trains after a push in a :class:`PaperSchedule`.

    Raises:
        InputError: If a key or a stage is unknown, a number cannot be, or nothing is pushed.
    """
    if cfg is None:
        raise InputError(
            "optim_wrapper lacks ['schedule']: configs/_base_/schedules/protopnet.py has one"
        )
    if isinstance(cfg, Mapping):
        _check_keys('optim_wrapper.schedule', cfg, PaperSchedule)
        paper = PaperSchedule(**cfg)
        if not tunes_last_layer:
            paper = replace(paper, last_layer_epochs=0)
        cfg = paper.phases(stages.get('last_layer', LAST_LAYER))
    elif not isinstance(cfg, Sequence) or not all(isinstance(phase, Mapping) for phase in cfg):
        raise InputError(
            f'optim_wrapper.schedule={cfg!r}: give a list of phases, such as '
            "dict(stage='joint', epochs=6, push=True)"
        )
    phases = tuple(_build_phase(number, phase, stages) for number, phase in enumerate(cfg))
    if phases and not phases[0].epochs:
        raise InputError(
            f'optim_wrapper.schedule begins with {phases[0].stage!r}, a solver: it follows an epoch'
        )
    return Schedule(phases, frozenset(name for name in stages if stages[name].keeps_patches))


def _build_phase(number: int, settings: Mapping, stages: Mapping[str, Stage]) -> Phase:
    place = f'optim_wrapper.schedule[{number}]'
    _check_keys(place, settings, Phase)
    if 'stage' not in settings:
        raise InputError(f"{place} lacks ['stage']: name one of {sorted(stages)}")
    phase = Phase(**settings)
    if phase.stage not in stages:
        raise InputError(
            f'optim_wrapper.stages lacks {[phase.stage]}, which {place} runs: it has '
            f'{sorted(stages)}; say there what it trains, or give it no epochs'
        )
    for name in ('push', 'restart'):
        if not isinstance(settings.get(name, False), bool):
            raise InputError(f'{place}.{name}={settings[name]!r}: it has to be True or False')
    if stages[phase.stage].solver is not None:
        if set(settings) != {'stage'}:
            raise InputError(
                f'{place} has {sorted(set(settings) - {"stage"})}, but {phase.stage!r} is a '
                'solver: it runs once, after the phase before it, which may have push=True'
            )
    elif type(phase.epochs) is not int or phase.epochs < 1:
        raise InputError(
            f'{place}.epochs={settings.get("epochs")!r}: it has to be an integer, at least 1'
        )
    return phase


def _check_keys(place: str, settings: Mapping, kind: type) -> None:
    known = sorted(field.name for field in fields(kind))
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise InputError(f'{place} has unknown keys {unknown}: it takes {known}')
