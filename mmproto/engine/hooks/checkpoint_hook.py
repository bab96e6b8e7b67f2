from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from mmproto.errors import InputError
from mmproto.models import unwrap_model
from mmproto.models.heads.checkpoint_fit import check_resumable


@HOOKS.register_module()
class PushedCheckpointHook(CheckpointHook):
    """MMEngine's checkpoint hook; its best checkpoint always has training patches as prototypes.

    .. code:: python

        default_hooks = dict(checkpoint=dict(type='PushedCheckpointHook', save_best='auto'))

    Between pushes the prototypes are points of the latent space that no image contains; such a
    model cannot explain itself and is not kept as the best, however accurate.

    Raises:
        InputError: Before training, if ``resume`` is given a checkpoint of another head, or one
            without the state of a training.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check that a training can go on from a checkpoint, before it is loaded."""
        if not runner._resume:
            return
        if 'message_hub' not in checkpoint:
            raise InputError(
                'resume: the checkpoint has weights but no state of a training; set load_from to '
                'it instead'
            )
        check_resumable(unwrap_model(runner.model).head, checkpoint['state_dict'], 'head.')

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """Keep the best checkpoint, out of those whose prototypes are training patches."""
        if unwrap_model(runner.model).head.prototypes_are_patches:
            super().after_val_epoch(runner, metrics)
