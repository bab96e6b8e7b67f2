from collections import defaultdict
from statistics import mean

from mmproto.engine.schedule import Schedule

PUSH = 'push'


class TimeLeft:
    """Estimates how long the rest of a schedule takes from how long its epochs have taken so far.

    An epoch lasts until the next one starts, so its validation, its checkpoint, its push and the
    solvers after it count. Epochs of one stage that are followed by the same are taken to last as
    long as those timed before. A stage that was not timed yet is taken for the mean of the
    epochs timed so far, a push or solver for nothing.

    Args:
        schedule: The schedule.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.seconds: dict[tuple[str, tuple[str, ...]], list[float]] = defaultdict(list)
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

    def left_now(self, epoch: int, now: float) -> float | None:
        """Like ``left`` for an epoch that is on, less what has passed of it; never negative."""
        left = self.left(epoch)
        if left is None or self.started is None:
            return None
        return max(left - (now - self.started), 0.0)

    def untimed(self, epoch: int) -> list[str]:
        """Return the stages from an epoch to the end that were not timed yet, and 'push'."""
        kinds = [self._kind(later) for later in range(epoch, self.schedule.total_epochs)]
        stages = dict.fromkeys(stage for stage, _ in kinds)
        followers = dict.fromkeys(name for _, after in kinds for name in after)
        timed = {name for stage, after in self.seconds for name in (stage, *after)}
        return [name for name in (*stages, *followers) if name not in timed]

    def in_words(self, epoch: int) -> str:
        """Like 'about 3 min left (joint, push not timed yet)'; empty if nothing is known."""
        left = self.left(epoch)
        if left is None:
            return ''
        untimed = ', '.join(self.untimed(epoch))
        return f'about {_duration(left)} left' + (f' ({untimed} not timed yet)' if untimed else '')

    def _kind(self, epoch: int) -> tuple[str, tuple[str, ...]]:
        """Stage of an epoch, and what follows it: a push, solvers."""
        push = (PUSH,) if epoch in self.schedule.pushes else ()
        return self.schedule.stages[epoch], push + self.schedule.solvers_after(epoch)

    def _estimate(self, epoch: int) -> float:
        stage, after = self._kind(epoch)
        kinds = [kind for kind in self.seconds if kind[0] == stage] or [*self.seconds]
        kinds = [kind for kind in kinds if kind[1] == after] or kinds
        return mean(second for kind in kinds for second in self.seconds[kind])


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f'{seconds:.0f} s'
    if seconds < 100 * 60:
        return f'{seconds / 60:.0f} min'
    return f'{seconds / 3600:.1f} h'
