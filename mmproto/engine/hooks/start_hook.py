from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from mmproto.engine.hooks.push_hook import PrototypePushHook
from mmproto.engine.prototype_start import begin_at_patches
from mmproto.models import unwrap_model


@HOOKS.register_module()
class PrototypeStartHook(Hook):
    """Lets prototypes begin at training patches, before the first epoch.

    For pretrained networks, whose patches mean something from the start. Prototypes that come
    with a checkpoint stay as they are.

    .. code:: python

        custom_hooks = [dict(type='PrototypePushHook'), dict(type='PrototypeStartHook')]

    Args:
        per_class: About how many patches of each class to choose among.
        seed: Another seed, other prototypes; None for the run's own.
    """

    priority = 'BELOW_NORMAL'  # after the push hook has built the push set

    def __init__(self, per_class: int = 2000, seed: int | None = None) -> None:
        self.per_class = per_class
        self.seed = seed

    def before_train(self, runner: Runner) -> None:
        """Choose the patches, unless the prototypes have been pushed before."""
        model = unwrap_model(runner.model)
        if runner.iter or (model.head.prototype_image >= 0).any():
            return
        dataloader = PrototypePushHook.of(runner).dataloader
        dataset: Any = dataloader.dataset
        count = len(model.head.prototype_class)
        runner.logger.info(f'{count} prototypes begin at patches of {len(dataset)} images.')
        seed = runner.seed if self.seed is None else self.seed
        begin_at_patches(model, dataloader, self.per_class, seed)
