import math
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from torch import Tensor

from mmproto.models import unwrap_model
from mmproto.models.heads import MultiLabelProtoPNetHead

# Above this part of what guessing costs, nothing is learnt.
GUESSING = 0.95
COUNT = 'epochs_at_chance'


@HOOKS.register_module()
class ChanceHook(Hook):
    """Warns while the cross entropy is that of guessing, ln(number of classes).

    .. code:: python

        custom_hooks = [dict(type='ChanceHook'), ...]

    The mean of ``loss_cls`` over an epoch counts, from the second epoch in a row that it is high.
    Not for findings, whose loss depends on how frequent they are.
    """

    def before_train(self, runner: Runner) -> None:
        """Begin to count."""
        head = unwrap_model(runner.model).head
        findings = isinstance(head, MultiLabelProtoPNetHead)
        self.chance = 0.0 if findings else math.log(head.num_classes)
        self.losses: list[Tensor] = []

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Note the loss of the batch."""
        if outputs and 'loss_cls' in outputs:
            self.losses.append(outputs['loss_cls'].detach())

    def after_train_epoch(self, runner: Runner) -> None:
        """Warn, if it is time to."""
        losses, self.losses = self.losses, []
        if not self.chance or not losses:
            return
        mean = torch.stack(losses).mean().item()
        before = runner.message_hub.get_info(COUNT, 0) if runner.epoch else 0
        epochs = before + 1 if mean > GUESSING * self.chance else 0
        runner.message_hub.update_info(COUNT, epochs)  # checkpoints keep it
        if epochs > 1:
            runner.logger.warning(
                f'loss_cls is {mean:.2f} on average of epoch {runner.epoch + 1}, and guessing '
                f'costs {self.chance:.2f}: for {epochs} epochs nothing is learnt. Look '
                'whether the backbone has pretrained weights, batch norm stands still '
                '(norm_eval=True in the stages of optim_wrapper), the prototypes begin at patches '
                '(PrototypeStartHook), and at the learning rates of the stages.'
            )
