from pathlib import Path

import numpy as np
import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from mmproto.datasets.checks import (
    check_every_class,
    check_in_order,
    check_labels,
    check_not_augmented,
    labels_of,
)
from mmproto.engine.nearest_patch_search import broadcast_buffers
from mmproto.engine.push import push_prototypes
from mmproto.errors import InputError
from mmproto.models import unwrap_model
from mmproto.models.backbones.backbone_info import check_image_size
from mmproto.models.heads.checkpoint_fit import check_resumable
from mmproto.visualization.prototype_sheet import prototype_sheet

SHEET_CLASSES = 20


@HOOKS.register_module()
class PrototypePushHook(Hook):
    """Pushes the prototypes onto training patches after the epochs that the schedule names.

    .. code:: python

        custom_hooks = [dict(type='PrototypePushHook')]
        push_dataloader = dict(batch_size=75, dataset=dict(...),
                               sampler=dict(type='DefaultSampler', shuffle=False))

    ``push_dataloader`` of the config gives the training images without augmentation. Each push
    logs how far the prototypes moved, what that did to the validation, and prototypes that share
    a patch; it writes every prototype's pictures and ``prototypes.json`` to
    ``{work_dir}/{out_dir}/epoch_{number of epochs trained}``. See :func:`push_prototypes`.

    The visualizer gets the same at the step of that epoch: ``push/mean_moved``, ``push/patches``,
    each metric as ``push/{metric}/before`` and ``/after``, and ``prototypes``, a sheet of those of
    the first 20 classes. For TensorBoard:

    .. code:: python

        visualizer = dict(type='UniversalVisualizer', vis_backends=[
            dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')])

    Args:
        out_dir: Where the pictures go, below the working directory; None for no pictures.

    Raises:
        InputError: Before training, if ``push_dataloader`` is missing, shuffles, augments or has
            no image of some class, if a label is out of range, or if the backbone cannot take
            images of this size.
    """

    def __init__(self, out_dir: str | None = 'prototypes') -> None:
        self.out_dir = out_dir

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check that a training can go on from a checkpoint, before it is loaded."""
        if not runner._resume:
            return
        if 'message_hub' not in checkpoint:
            raise InputError(
                '--resume: the checkpoint has weights but no state of a training; start from it '
                'by --cfg-options load_from=CHECKPOINT'
            )
        check_resumable(unwrap_model(runner.model).head, checkpoint['state_dict'], 'head.')

    def before_train(self, runner: Runner) -> None:
        """Build the push set and check the data."""
        self.build_dataloader(runner)
        num_classes = unwrap_model(runner.model).head.num_classes
        loaders = dict(train_dataloader=runner.train_dataloader)
        if runner.val_loop is not None:
            loaders['val_dataloader'] = runner.val_dataloader
        for setting, dataloader in loaders.items():
            check_labels(labels_of(dataloader.dataset), num_classes, setting)

    def build_dataloader(self, runner: Runner) -> None:
        """Build ``push_dataloader`` and check it."""
        config = runner.cfg.get('push_dataloader')
        if config is None:
            raise InputError(
                'the config has no push_dataloader: add one that gives the training images '
                'without augmentation, in order'
            )
        self.dataloader = runner.build_dataloader(config, seed=runner.seed)
        dataset, head = self.dataloader.dataset, unwrap_model(runner.model).head
        check_in_order(self.dataloader)
        labels = labels_of(dataset)
        check_labels(labels, head.num_classes, 'push_dataloader')
        check_every_class(dataset, labels, head.prototype_class.tolist())
        check_not_augmented(dataset)
        check_image_size(unwrap_model(runner.model).backbone, dataset[0]['inputs'].shape)

    def after_train_epoch(self, runner: Runner) -> None:
        """Push, if the schedule says so."""
        if runner.epoch in runner.optim_wrapper.schedule.pushes:
            out_dir, epoch = None, runner.epoch + 1
            if self.out_dir is not None:
                out_dir = Path(runner.work_dir) / self.out_dir / f'epoch_{epoch}'
            runner.visualizer.add_scalars(self.push(runner, out_dir), step=epoch)
            if out_dir is not None:
                self._show_sheet(runner, out_dir, epoch)

    def push(self, runner: Runner, out_dir: Path | None) -> dict[str, float]:
        """Push now, log what it did, and return what there is to plot of it."""
        model = unwrap_model(runner.model)
        model.eval()
        broadcast_buffers(model)  # so that before and after are of one model
        before = self._validate(runner)
        report = push_prototypes(model, self.dataloader, out_dir)
        after = self._validate(runner)
        runner.logger.info(f'Push: {report.summary()}.')
        scalars = report.scalars()
        for metric, value in after.items():
            if isinstance(value, float):
                scalars |= {f'push/{metric}/before': before[metric], f'push/{metric}/after': value}
                runner.logger.info(f'Push: {metric} was {before[metric]:.2f} and is {value:.2f}.')
        if out_dir is not None:
            runner.logger.info(f'Push: the prototypes are pictured in {out_dir}.')
        for warning in report.warnings():
            runner.logger.warning(f'Push: {warning}')
        return scalars

    @staticmethod
    @master_only
    def _show_sheet(runner: Runner, folder: Path, epoch: int) -> None:
        try:
            sheet = prototype_sheet(folder, SHEET_CLASSES)
        except FileNotFoundError as error:  # several machines, each with a disk of its own
            runner.logger.warning(f'Push: no sheet of the prototypes, for want of {error.filename}')
            return
        runner.visualizer.add_image('prototypes', np.asarray(sheet), step=epoch)

    @staticmethod
    @torch.no_grad()
    def _validate(runner: Runner) -> dict[str, float]:
        """Validate without the hooks of a validation epoch, whose turn comes later."""
        loop = runner.val_loop
        if loop is None:
            return {}
        for batch in loop.dataloader:
            outputs = runner.model.val_step(batch)
            loop.evaluator.process(data_samples=outputs, data_batch=batch)
        return loop.evaluator.evaluate(len(loop.dataloader.dataset))
