import shutil
from collections.abc import Iterable
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook, Hook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from mmproto.errors import InputError
from mmproto.models import unwrap_model

# Adam's of each weight; what has fewer is overestimated.
MOMENTS = 2


@HOOKS.register_module()
class DiskSpaceHook(Hook):
    """Compares, before a training, what it will write with the room on the disk.

    .. code:: python

        custom_hooks = [dict(type='DiskSpaceHook'), ...]

    Counted are the checkpoints that are kept at the same time, one more while it is written, and
    what other hooks say that they write, by a method ``bytes_to_write(runner)``. Where the
    pictures alone are too many it is a warning, since a training does without them.

    Raises:
        InputError: Before training, if the checkpoints will not fit.
    """

    priority = 51  # after the push hook has built the push set, before anything takes time

    def before_train(self, runner: Runner) -> None:
        """Compare, on one process."""
        if not is_main_process():
            return
        folder = Path(runner.work_dir)
        # Checkpoints of an earlier run are replaced or are those that are kept.
        room = shutil.disk_usage(folder).free + _size(folder.glob('*.pth'))
        checkpoints = checkpoint_bytes(runner)
        others = sum(
            hook.bytes_to_write(runner) for hook in runner.hooks if hasattr(hook, 'bytes_to_write')
        )
        if checkpoints > room:
            raise InputError(
                f'work_dir={folder}: the checkpoints will take {_in_words(checkpoints)}, but there '
                f'is room for {_in_words(room)}: make room, give another --work-dir, or keep fewer '
                'by default_hooks.checkpoint.max_keep_ckpts'
            )
        if checkpoints + others > room:
            runner.logger.warning(
                f'work_dir={folder}: the training will write about '
                f'{_in_words(checkpoints + others)}, {_in_words(others)} of them pictures, but '
                f'there is room for {_in_words(room)}: the last pictures will be missing. Make '
                'room, or set keep_pushes of the PrototypeVisualizationHook.'
            )


def checkpoint_bytes(runner: Runner) -> int:
    """Return how much the checkpoints take that a training keeps, and the next beside them."""
    weights = sum(tensor.nbytes for tensor in unwrap_model(runner.model).state_dict().values())
    wrapper = runner.optim_wrapper
    wrappers = wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]
    trained = sum(
        parameter.nbytes
        for one in wrappers
        for group in one.optimizer.param_groups
        for parameter in group['params']
    )
    total = 0
    for hook in runner.hooks:
        if not isinstance(hook, CheckpointHook):
            continue
        length = runner.max_epochs if hook.by_epoch else runner.max_iters
        saved = length // hook.interval if hook.interval > 0 else 0
        saved = max(saved, int(hook.save_last))
        kept = min(saved, hook.max_keep_ckpts + 1) if hook.max_keep_ckpts > 0 else saved
        total += kept * (weights + (MOMENTS * trained if hook.save_optimizer else 0))
        total += 2 * weights * len(hook.key_indicators or []) if hook.save_best else 0
    return total


def _size(files: Iterable[Path]) -> int:
    return sum(file.stat().st_size for file in files)


def _in_words(count: float) -> str:
    return f'{count / 1e9:.1f} GB' if count >= 1e9 else f'{count / 1e6:.1f} MB'
