from collections.abc import Sequence

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS, HOOKS

from mmproto.datasets.checks import image_paths
from mmproto.datasets.file_copies import copies
from mmproto.errors import InputError


@HOOKS.register_module()
class SplitCheckHook(Hook):
    """Warns before the training of figures that would say too much.

    .. code:: python

        custom_hooks = [dict(type='SplitCheckHook'), ...]

    That is where the same file is on two sides, by its bytes, and where the best checkpoint is
    picked by the images that it is tested with.
    """

    def before_train(self, runner: Runner) -> None:
        """Compare the files of the training, validation and test set, on one process."""
        if not is_main_process() or runner.val_loop is None:
            return
        train = image_paths(runner.train_loop.dataloader.dataset)
        val = image_paths(runner.val_loop.dataloader.dataset)
        test = self._test_paths(runner)
        for name, paths in (('validation', val), ('test', [p for p in test if p not in {*val}])):
            warning = shared_files(train, paths, name)
            if warning:
                runner.logger.warning(warning)
        best = any(isinstance(hook, CheckpointHook) and hook.save_best for hook in runner.hooks)
        if best and val and {*val} == {*test}:
            runner.logger.warning(
                'save_best picks the checkpoint by the images that it is tested with: val and test '
                f'set are the same {len(val)} images, so the accuracy of the best checkpoint says '
                'too much. Keep a test set of its own, or report the last checkpoint.'
            )

    @staticmethod
    def _test_paths(runner: Runner) -> list[str]:
        loader = runner.cfg.get('test_dataloader')
        try:
            return image_paths(DATASETS.build(loader['dataset'])) if loader else []
        except (InputError, OSError):  # the test set may be elsewhere
            return []


def shared_files(train: Sequence[str], others: Sequence[str], name: str) -> str:
    """Say how many images of another set are training images, by path or bytes; '' for none."""
    trained, tested = {*train}, {*others}
    pairs = [
        (path, min(trained.intersection(same)))
        for same in [*([path] for path in tested & trained), *copies([*train, *others])]
        if trained.intersection(same)
        for path in same
        if path in tested
    ]
    found = dict(sorted(pairs))
    if not found:
        return ''
    path, twin = next(iter(found.items()))
    return (
        f'{len(found)} of {len(tested)} {name} images are training images as well, such as {path}'
        f'{"" if path == twin else f", which is the same file as {twin}"}: the accuracy on them '
        'says too much. Remove them from one of the two.'
    )
