import time
from datetime import timedelta

from mmengine.runner import LogProcessor, Runner
from mmpretrain.registry import LOG_PROCESSORS


@LOG_PROCESSORS.register_module()
class ShortLogProcessor(LogProcessor):
    """MMEngine's, with training lines that fit a terminal.

    .. code:: python

        log_processor = dict(type='ShortLogProcessor')

    A line has the learning rates of the groups that train, in the order in which the line at the
    start of the epoch names them, and the time left of all stages. What goes to the JSON log and
    to other back ends stays MMEngine's: every rate under its name, 0 for a frozen group.
    """

    def get_log_after_iter(self, runner: Runner, batch_idx: int, mode: str) -> tuple[dict, str]:
        """Return what an iteration adds to the log, and its line."""
        tag, line = super().get_log_after_iter(runner, batch_idx, mode)
        if mode != 'train':
            return tag, line
        # With a hierarchy of logs the names begin with train/.
        values = {name.removeprefix('train/'): value for name, value in tag.items()}
        header = line[: line.rindex(']', 0, line.index('lr: ')) + 1]
        groups = {name: rate for name, rate in values.items() if name.endswith('.lr')}
        rates = [rate for rate in groups.values() if rate] or [values['lr']]
        seconds = self._seconds_left(runner)
        parts = [
            header,
            f'lr: {" ".join(f"{rate:.3g}" for rate in rates)}',
            f'eta: {timedelta(seconds=int(seconds))}',
            f'time: {values["time"]:.3f} (data {values["data_time"]:.3f})',
        ]
        shown = {'lr', 'time', 'data_time', 'epoch', 'iter', *groups}
        terms = {name: value for name, value in values.items() if name.startswith('loss_')}
        for name, value in values.items():
            if name not in shown and name not in terms:
                parts.append(f'{name}: {_short(value)}')
            if name == 'loss' and terms:
                parts[-1] += f' ({_in_words(terms)})'
        return tag, '  '.join(parts)

    @staticmethod
    def _seconds_left(runner: Runner) -> float:
        """Seconds that the stages take, MMEngine's estimate until an epoch was timed."""
        time_left = getattr(runner.train_loop, 'time_left', None)
        left = time_left and time_left.left_now(runner.epoch, time.monotonic())
        return runner.message_hub.get_info('eta') if left is None else left


def _in_words(terms: dict[str, float]) -> str:
    """Like 'cls 2.46, cluster 5.55'."""
    return ', '.join(f'{name.removeprefix("loss_")} {_short(v)}' for name, v in terms.items())


def _short(value: float) -> str:
    return f'{value:.3g}' if isinstance(value, float) else str(value)
