from collections import defaultdict
from statistics import mean

from mmproto.engine.schedule import Schedule

# From the stage with the cheapest epochs to the one with the dearest.
BY_COST = ('last_layer', 'warm', 'joint')


class TimeLeft:
    """Estimates how long the rest of a schedule takes from how long its epochs have taken so far.

    An epoch lasts until the next one starts, so its validation, its checkpoint and its push count.
    Epochs of one stage with a push, or without, are taken to last as long as those timed before.
    A stage that was not timed yet is taken for the one of the nearest cost, a push for nothing.

    Args:
        schedule: The schedule.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.seconds: dict[tuple[str, bool], list[float]] = defaultdict(list)
        self.started: float | None = None

    def epoch_starts(self, epoch: int, now: float) -> None:
        """Note that an epoch starts, and with it that the one before has ended.

        Args:
            epoch: The runner's number of the epoch.
            now: The time in seconds.
        """
        if self.started is not None:
            self.seconds[self._kind(epoch - 1)].append(now - self.started)
        self.started = now

    def left(self, epoch: int) -> float | None:
        """Seconds from the start of an epoch to the end; None as long as nothing was timed."""
        if not self.seconds:
            return None
        return sum(self._estimate(later) for later in range(epoch, self.schedule.total_epochs))

    def untimed(self, epoch: int) -> list[str]:
        """The stages from an epoch to the end that were not timed yet, and 'push'."""
        timed = {stage for stage, _ in self.seconds}
        stages = self.schedule.stages[epoch:]
        names = [stage for stage in dict.fromkeys(stages) if stage not in timed]
        pushed = any(pushed for _, pushed in self.seconds)
        if max(self.schedule.pushes) >= epoch and not pushed:
            names.append('push')
        return names

    def in_words(self, epoch: int) -> str:
        """Like 'about 3 min left (joint, push not timed yet)'; empty if nothing is known."""
        left = self.left(epoch)
        if left is None:
            return ''
        untimed = ', '.join(self.untimed(epoch))
        return f'about {_duration(left)} left' + (f' ({untimed} not timed yet)' if untimed else '')

    def _kind(self, epoch: int) -> tuple[str, bool]:
        """Stage of an epoch, and whether a push follows."""
        return self.schedule.stages[epoch], epoch in self.schedule.pushes

    def _estimate(self, epoch: int) -> float:
        stage, pushed = self._kind(epoch)
        cost = BY_COST.index(stage)

        def distance(kind: tuple[str, bool]) -> tuple[int, bool]:
            return abs(BY_COST.index(kind[0]) - cost), kind[1] != pushed

        return mean(self.seconds[min(self.seconds, key=distance)])


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f'{seconds:.0f} s'
    if seconds < 100 * 60:
        return f'{seconds / 60:.0f} min'
    return f'{seconds / 3600:.1f} h'
