from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from mmproto.evaluation.explanation_metrics import ExplanationMetrics
from mmproto.models import unwrap_model


@HOOKS.register_module()
class ExplanationHook(Hook):
    """Hands the network to every :class:`ExplanationMetrics` of the evaluators.

    .. code:: python

        custom_hooks = [dict(type='ExplanationHook')]
    """

    def before_test(self, runner: Runner) -> None:
        """Hand it to those of the test."""
        self._hand_over(runner, runner.test_loop)

    def before_val(self, runner: Runner) -> None:
        """Hand it to those of the validation."""
        self._hand_over(runner, runner.val_loop)

    @staticmethod
    def _hand_over(runner: Runner, loop: Any) -> None:
        for metric in loop.evaluator.metrics:
            if isinstance(metric, ExplanationMetrics):
                metric.look_at(unwrap_model(runner.model), loop.dataloader.dataset)
