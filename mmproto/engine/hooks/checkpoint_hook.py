from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from mmproto.models import unwrap_model


@HOOKS.register_module()
class PushedCheckpointHook(CheckpointHook):
    """MMEngine's checkpoint hook; its best checkpoint always has training patches as prototypes.

    .. code:: python

        default_hooks = dict(checkpoint=dict(type='PushedCheckpointHook', save_best='auto'))

    Between pushes the prototypes are points of the latent space that no image contains; such a
    model cannot explain itself and is not kept as the best, however accurate.
    """

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """Keep the best checkpoint, out of those whose prototypes are training patches."""
        if unwrap_model(runner.model).head.prototypes_are_patches:
            super().after_val_epoch(runner, metrics)
