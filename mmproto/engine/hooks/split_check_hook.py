from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS, HOOKS

from mmproto.datasets.checks import image_groups, image_paths
from mmproto.datasets.file_copies import copies
from mmproto.datasets.image_dataset import ImageDataset
from mmproto.engine.hooks.push_hook import PrototypePushHook
from mmproto.errors import InputError


@HOOKS.register_module()
class SplitCheckHook(Hook):
    """Warns before the training of figures that would say too much.

    .. code:: python

        custom_hooks = [dict(type='SplitCheckHook'), ...]

    That is where the same file is on two sides, by its bytes, be it in the training set or in the
    push set; where images of one group are, such as a patient's (``group`` of a
    :class:`FolderDataset`); and where the best checkpoint is picked by the images that it is
    tested with.
    """

    priority = 52  # after the push hook has built the push set

    def before_train(self, runner: Runner) -> None:
        """Compare the training, push, validation and test set, on one process."""
        if not is_main_process():
            return
        train = runner.train_loop.dataloader.dataset
        trained = image_paths(train)
        pushed = sorted({*image_paths(self._push_set(runner))} - {*trained})
        held_out = self._held_out(runner)
        paths = {name: image_paths(dataset) for name, dataset in held_out.items()}
        known: set[str] = set()
        for name, dataset in held_out.items():
            others = [path for path in paths[name] if path not in known]
            known.update(others)
            warnings = (
                shared_files(trained, others, name),
                shared_files(pushed, others, name, 'push'),
                shared_groups(train, dataset, name),
            )
            for warning in filter(None, warnings):
                runner.logger.warning(warning)
        val, test = paths.get('validation', []), paths.get('test', [])
        best = any(isinstance(hook, CheckpointHook) and hook.save_best for hook in runner.hooks)
        if best and val and {*val} == {*test}:
            runner.logger.warning(
                'save_best picks the checkpoint by the images that it is tested with: val and test '
                f'set are the same {len(val)} images, so the accuracy of the best checkpoint says '
                'too much. Keep a test set of its own, or report the last checkpoint.'
            )

    @staticmethod
    def _push_set(runner: Runner) -> Any:
        """Return the push set, empty for a classifier without prototypes."""
        hooks = [hook for hook in runner.hooks if isinstance(hook, PrototypePushHook)]
        return hooks[0].dataloader.dataset if hooks else []

    @staticmethod
    def _held_out(runner: Runner) -> dict[str, Any]:
        """Return the validation and the test set, each built once, if they are there."""
        held_out: dict[str, Any] = {}
        if runner.val_loop is not None:
            held_out['validation'] = runner.val_loop.dataloader.dataset
        test = (runner.cfg.get('test_dataloader') or {}).get('dataset')
        if held_out and test == runner.cfg.val_dataloader['dataset']:
            held_out['test'] = held_out['validation']  # not built anew
        elif isinstance(test, Mapping):
            with suppress(InputError, OSError):  # it may be elsewhere
                held_out['test'] = DATASETS.build(test)
        return held_out


def shared_files(
    train: Sequence[str], others: Sequence[str], name: str, use: str = 'training'
) -> str:
    """Say how many images of another set are training images, by path or bytes; '' for none.

    Args:
        train: Files that are trained on, or that prototypes are pushed onto.
        others: Files of a set that is held out.
        name: What that is called.
        use: What the first are for, 'training' or 'push'.
    """
    trained, tested = {*train}, {*others}
    if not trained or not tested:
        return ''
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
        f'{len(found)} of {len(tested)} {name} images are {use} images as well, such as {path}'
        f'{"" if path == twin else f", which is the same file as {twin}"}: the accuracy on them '
        'says too much. Remove them from one of the two.'
    )


def shared_groups(train: ImageDataset, others: ImageDataset, name: str) -> str:
    """Say which groups have images on both sides; '' for none.

    Args:
        train: The training set.
        others: A set that is held out.
        name: What that is called.
    """
    groups = sorted(image_groups(train) & image_groups(others))
    if not groups:
        return ''
    return (
        f'{len(groups)} groups (dataset.group) have training and {name} images, such as '
        f'{groups[0]}: the accuracy says too much. Give the whole group to one of the two.'
    )
