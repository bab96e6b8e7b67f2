from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from torch.utils.data import DataLoader

from mmproto.datasets.folds import in_fold
from mmproto.datasets.map_dataset import MapDataset
from mmproto.engine.frozen_maps import map_dataset, take_images, take_maps
from mmproto.engine.hooks.push_hook import PrototypePushHook
from mmproto.errors import InputError
from mmproto.models import unwrap_model

# What a loader of images has and one of maps has no use for.
WORKERS = ('num_workers', 'persistent_workers', 'prefetch_factor')


@HOOKS.register_module()
class FrozenBackboneHook(Hook):
    """Trains on the maps of a frozen backbone, which goes through the images once.

    For training without a GPU. The maps are held in memory: 4 bytes a value, so 64 MB for 1,000
    images with 320 channels of 7 x 7. The training set is the push set, images without
    augmentation; no stage may train the backbone or let batch norm move.

    .. code:: python

        train_dataloader = dict(dataset=push_dataset, ...)
        optim_wrapper = dict(stages=dict(joint=dict(
            norm_eval=True, neck=dict(lr=1e-3), prototypes=dict(lr=1e-3)), ...), ...)
        custom_hooks = [dict(type='PrototypePushHook'), dict(type='FrozenBackboneHook')]

    Raises:
        InputError: Before training, if a stage trains the backbone or moves batch norm, or if the
            training set is not the push set.
    """

    priority = 55  # after the push hook has built the push set, before prototypes begin at it

    def before_train(self, runner: Runner) -> None:
        """Make the maps, and give them to the loops in place of the images."""
        self.check(runner)
        model, push, cfg = unwrap_model(runner.model), PrototypePushHook.of(runner), runner.cfg
        model.eval()
        images = map_dataset(model, push.dataloader)
        size = images.maps.nbytes / 1e6
        runner.logger.info(
            f'The backbone is frozen and has made its maps of {len(images)} images, {size:.0f} MB: '
            'the training needs it no more.'
        )
        push.dataloader = _loader(runner, cfg.push_dataloader, images)
        runner.train_loop.dataloader = _loader(runner, cfg.train_dataloader, images)
        if runner.val_loop is not None:
            maps = map_dataset(model, runner.val_loop.dataloader)
            runner.val_loop.dataloader = _loader(runner, cfg.val_dataloader, maps)
        take_maps(model)

    def after_train(self, runner: Runner) -> None:
        """Let the model take images again."""
        take_images(unwrap_model(runner.model))

    @staticmethod
    def check(runner: Runner) -> None:
        """Raise an InputError if a stage trains the backbone, or the training set is another."""
        schedule = runner.optim_wrapper.schedule
        for name in dict.fromkeys(schedule.stages):
            stage = runner.optim_wrapper.stages[name]
            if 'backbone' in stage.groups or not stage.stops_norms:
                raise InputError(
                    f'optim_wrapper.stages.{name} trains the backbone, or its batch norm: for a '
                    'FrozenBackboneHook leave backbone out of it and set norm_eval=True'
                )
        train, push = runner.cfg.train_dataloader['dataset'], runner.cfg.push_dataloader['dataset']
        if train != in_fold(push, train):
            raise InputError(
                'train_dataloader.dataset is not that of push_dataloader: with a '
                'FrozenBackboneHook the same images are trained on, without augmentation'
            )


def _loader(runner: Runner, config: Any, maps: MapDataset) -> DataLoader:
    settings = {key: value for key, value in config.items() if key not in WORKERS}
    return runner.build_dataloader({**settings, 'dataset': maps, 'num_workers': 0}, runner.seed)
