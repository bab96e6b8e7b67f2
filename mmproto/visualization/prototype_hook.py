from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from mmproto.datasets.map_dataset import images_of
from mmproto.engine import PrototypePushHook
from mmproto.engine.push_record import epoch_folder
from mmproto.errors import InputError
from mmproto.models import unwrap_model
from mmproto.visualization.prototype_files import remove_older_images, write_prototypes
from mmproto.visualization.prototype_sheet import prototype_sheet

SHEET_CLASSES = 20
# Of its three pictures, for each pixel of the input: drawn birds take 1, photographs more.
PICTURE_BYTES = 2


@HOOKS.register_module()
class PrototypeVisualizationHook(Hook):
    """Draws the prototypes of every push, before the checkpoint of its epoch is saved.

    .. code:: python

        custom_hooks = [dict(type='PrototypePushHook'),
                        dict(type='PrototypeVisualizationHook', keep_pushes=1)]

    The images and ``prototypes.json`` go to ``{work_dir}/prototypes/epoch_{number of epochs
    trained}``, see :func:`write_prototypes`. The visualizer gets ``prototypes``, a sheet of those
    of the first 20 classes. For TensorBoard:

    .. code:: python

        visualizer = dict(type='UniversalVisualizer', vis_backends=[
            dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')])

    What goes wrong in drawing is warned about, and the training goes on.

    Args:
        keep_pushes: Draw the last pushes of the schedule alone, as many as this, and remove the
            images that older pushes have left in the working directory; None for all.

    Raises:
        InputError: If ``keep_pushes`` is no positive integer.
    """

    # After the solver, and before the checkpoint hook: who goes on from that has the images.
    priority = 'LOW'

    def __init__(self, keep_pushes: int | None = None) -> None:
        if keep_pushes is not None and (type(keep_pushes) is not int or keep_pushes < 1):
            raise InputError(
                f'PrototypeVisualizationHook.keep_pushes={keep_pushes!r}: give a positive integer, '
                'or None for all; to draw nothing, remove the hook from custom_hooks'
            )
        self.keep_pushes = keep_pushes

    def after_train_epoch(self, runner: Runner) -> None:
        """Draw the prototypes, if they have just been pushed and their images are kept."""
        pushes = runner.optim_wrapper.schedule.pushes
        later = sum(push > runner.epoch for push in pushes)
        if runner.epoch not in pushes or not self._keeps(later):
            return
        epoch = runner.epoch + 1
        folder = epoch_folder(runner.work_dir, epoch)
        failures = all_gather_object(_failure(self._draw, runner, folder))  # waits for all
        if is_main_process():
            if not any(failures):
                failures = [_failure(self._show_and_clean_up, runner, folder, epoch)]
            for failure in filter(None, failures):
                runner.logger.warning(f'Push: not all prototypes are drawn ({failure}).')

    def bytes_to_write(self, runner: Runner) -> int:
        """Return about how much the pictures take that are still to be drawn and kept."""
        dataset: Any = PrototypePushHook.of(runner).dataloader.dataset
        height, width = images_of(dataset)[0]['inputs'].shape[-2:]
        prototypes = len(unwrap_model(runner.model).head.prototype_class)
        pushes = sum(push >= runner.epoch for push in runner.optim_wrapper.schedule.pushes)
        drawn = pushes if self.keep_pushes is None else min(pushes, self.keep_pushes)
        return drawn * prototypes * height * width * PICTURE_BYTES

    def _keeps(self, later_pushes: int) -> bool:
        """Whether the images of a push are kept that so many pushes follow."""
        return self.keep_pushes is None or later_pushes < self.keep_pushes

    @staticmethod
    def _draw(runner: Runner, folder: Path) -> None:
        push = PrototypePushHook.of(runner)
        dataset = images_of(push.dataloader.dataset)
        if push.nearest is not None:
            write_prototypes(unwrap_model(runner.model), push.nearest, dataset, folder)

    def _show_and_clean_up(self, runner: Runner, folder: Path, epoch: int) -> None:
        runner.logger.info(f'Push: the prototypes are drawn in {folder}.')
        sheet = np.asarray(prototype_sheet(folder, SHEET_CLASSES))
        runner.visualizer.add_image('prototypes', sheet, step=epoch)
        if self.keep_pushes is not None:
            remove_older_images(runner.work_dir, epoch, self.keep_pushes)


def _failure(function: Callable, *arguments: Any) -> str | None:
    """Call a function; what went wrong, in words: images are worth less than the training."""
    try:
        function(*arguments)
    except Exception as error:
        return f'{type(error).__name__}: {error}'
    return None
