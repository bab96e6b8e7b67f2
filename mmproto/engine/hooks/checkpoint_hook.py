from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from mmproto.engine.hooks.resumable_checkpoint_hook import ResumableCheckpointHook
from mmproto.models import unwrap_model
from mmproto.models.heads.checkpoint_fit import check_resumable


@HOOKS.register_module()
class PushedCheckpointHook(ResumableCheckpointHook):
    """The checkpoint hook of a ProtoPNet: its best one always has training patches as prototypes.

    .. code:: python

        default_hooks = dict(checkpoint=dict(type='PushedCheckpointHook', save_best='auto'))

    Between pushes the prototypes are points of the latent space that no image contains; such a
    model cannot explain itself and is not kept as the best, however accurate.

    Raises:
        InputError: Before training, if ``resume`` is given a checkpoint of another head, and as
            :class:`ResumableCheckpointHook` does.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check that a training can go on from a checkpoint, before it is loaded."""
        super().after_load_checkpoint(runner, checkpoint)
        if runner._resume:
            check_resumable(unwrap_model(runner.model).head, checkpoint['state_dict'], 'head.')

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """Keep the best checkpoint, out of those whose prototypes are training patches."""
        if unwrap_model(runner.model).head.prototypes_are_patches:
            super()._save_best_checkpoint(runner, metrics)
