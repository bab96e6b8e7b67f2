from dataclasses import replace
from typing import Any

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from torch.utils.data import DataLoader

from mmproto.datasets.checks import check_label_counts, check_labels
from mmproto.datasets.folds import check_in_fold
from mmproto.engine.nearest_patch_search import find_different_patches, find_nearest_patches
from mmproto.engine.push import Search, watched_push
from mmproto.engine.push_dataloader import build_push_dataloader
from mmproto.engine.push_record import PushRecord, epoch_folder
from mmproto.engine.validation import numbers, validate
from mmproto.functional import NearestPatch
from mmproto.models import unwrap_model


@HOOKS.register_module()
class PrototypePushHook(Hook):
    """Pushes the prototypes onto training patches after the epochs that the schedule names.

    .. code:: python

        custom_hooks = [dict(type='PrototypePushHook')]
        push_dataloader = dict(batch_size=75, dataset=dict(...),
                               sampler=dict(type='DefaultSampler', shuffle=False))

    ``push_dataloader`` of the config gives the training images without augmentation. Each push
    logs how far the prototypes moved, what that did to the validation, of how many of its images
    the prediction was certain to stay (``docs/certificate.md``), and prototypes that share a
    patch; ``{work_dir}/prototypes/epoch_{number of epochs trained}/push.json`` keeps it, see
    :class:`PushRecord`. The visualizer gets the same at the step of that epoch:
    ``push/mean_distance``, ``push/patches``, percentages of images as ``push/unchanged``,
    ``push/certified``, ``push/by_moves`` and ``push/by_theorem``, and each metric as
    ``push/{metric}/before`` and ``/after``. The metrics after the push are those of the epoch's
    own validation; where ``val_interval`` leaves it out, of one before the next epoch trains;
    where a solver follows, of one before the solver runs.

    :class:`PrototypeVisualizationHook` draws the prototypes.

    Args:
        different: Whether each prototype of a class goes onto another patch, so that together they
            move the least, see :func:`mmproto.functional.different_patches`. The paper's push
            takes the nearest patch, which several may share.

    Attributes:
        dataloader: The push set, from the start of the training on.
        search: What finds the patches.
        nearest: The patches that the last push has found, None before the first.

    Raises:
        InputError: Before training, if ``push_dataloader`` is missing, shuffles, augments or has
            no image of some class, or has one of another fold, if a label is out of range, or if
            the backbone cannot take images of this size.
    """

    dataloader: DataLoader
    nearest: NearestPatch | None = None

    def __init__(self, different: bool = False) -> None:
        self.search: Search = find_different_patches if different else find_nearest_patches
        self._unfinished: PushRecord | None = None  # lacks the metrics after the push

    @classmethod
    def of(cls, runner: Runner) -> 'PrototypePushHook':
        """Return the hook of a runner that has one."""
        return next(hook for hook in runner.hooks if isinstance(hook, cls))

    def before_train(self, runner: Runner) -> None:
        """Build the push set and check the data."""
        self.dataloader = build_push_dataloader(runner)
        head = unwrap_model(runner.model).head
        loaders = dict(train_dataloader=runner.train_dataloader)
        if runner.val_loop is not None:
            loaders['val_dataloader'] = runner.val_dataloader
        for setting, dataloader in loaders.items():
            check_label_counts(dataloader.dataset, head.predicts_one_class, setting)
            check_labels(dataloader.dataset, head.num_classes, setting)
        pushed: Any = self.dataloader.dataset
        trained = runner.train_dataloader.dataset
        check_in_fold(pushed, trained, runner.cfg.train_dataloader['dataset'])
        self._unfinished = _left_unfinished(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Push, if the schedule says so."""
        if runner.epoch not in runner.optim_wrapper.schedule.pushes:
            return
        model = unwrap_model(runner.model)
        dataset: Any = self.dataloader.dataset
        runner.logger.info(
            f'Push: looking for the nearest patches of {len(model.head.prototype_class)} '
            f'prototypes in {len(dataset)} images.'
        )
        self.nearest, record = watched_push(runner, self.dataloader, runner.epoch + 1, self.search)
        self._unfinished = record
        for line in record.summaries():
            runner.logger.info(f'Push: {line}.')
        for warning in record.warnings():
            runner.logger.warning(f'Push: {warning}.')
        _save(runner, record)
        if runner.optim_wrapper.schedule.solvers_after(runner.epoch):
            self._finish(runner, validate(runner))  # the epoch's own comes after the solvers

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """Take the metrics after a push from the validation of its epoch."""
        self._finish(runner, numbers(metrics))

    def before_train_epoch(self, runner: Runner) -> None:
        """Validate after a push, if its epoch is not validated."""
        if self._unfinished is not None:
            self._finish(runner, validate(runner))

    def after_train(self, runner: Runner) -> None:
        """Validate after a push at the end, likewise."""
        self.before_train_epoch(runner)

    def _finish(self, runner: Runner, after: dict[str, float]) -> None:
        if self._unfinished is None:
            return
        record, self._unfinished = replace(self._unfinished, after=after), None
        for change in record.changes():
            runner.logger.info(f'Push: {change}.')
        for loss in record.losses():
            runner.logger.warning(f'Push: {loss}.')
        runner.visualizer.add_scalars(record.scalars(), step=record.epoch)
        _save(runner, record)


def _left_unfinished(runner: Runner) -> PushRecord | None:
    """Return the record of the push before this run, if no validation has been after it."""
    if runner.epoch - 1 not in runner.optim_wrapper.schedule.pushes:
        return None
    try:
        record = PushRecord.load(epoch_folder(runner.work_dir, runner.epoch))
    except (OSError, ValueError):
        return None
    return None if record.after else record


@master_only
def _save(runner: Runner, record: PushRecord) -> None:
    """Write ``push.json``; a training is worth more than its record."""
    folder = epoch_folder(runner.work_dir, record.epoch or 0)  # known in every training
    try:
        record.save(folder)
    except OSError as error:
        runner.logger.warning(f'Push: {folder / record.FILE} cannot be written ({error}).')
