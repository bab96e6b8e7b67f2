from typing import Any, NoReturn

from mmengine.dist import all_gather_object, all_reduce, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from torch import nn

from mmproto.engine.first_not_finite import first_not_finite, is_finite, weights_not_finite
from mmproto.engine.remedy import remedy, stage_in_words
from mmproto.errors import InputError
from mmproto.models import before_head, unwrap_model


@HOOKS.register_module()
class FiniteHook(Hook):
    """Ends a training whose numbers are not finite any more, before a step is made of them.

    .. code:: python

        custom_hooks = [dict(type='FiniteHook'), ...]

    Every step checks the losses and the features that the head is given; that is all it costs. If
    they are not finite, the batch goes through the network once more, to find the module where
    that began. Gradients are not looked at: a loss scaler skips those that are infinite. Where
    they have spoilt the weights, the next step shows it, or the end of the epoch, at which the
    weights are checked before anything is pushed or saved. Of several processes the first says
    why, and all of them end.

    Raises:
        InputError: If a loss, a feature or a weight is not finite. It names epoch, step, stage and
            module, what to lower, and the last checkpoint, whose weights are finite.
    """

    priority = 'VERY_HIGH'  # before anything is made of the weights

    def __init__(self) -> None:
        self._handles: list[Any] = []
        self._features: Any = None

    def before_train(self, runner: Runner) -> None:
        """Check what the training begins with."""
        spoilt = weights_not_finite(unwrap_model(runner.model))
        if spoilt:
            raise InputError(
                f'the model has weights that are not finite before it is trained, {spoilt[0]} to '
                'begin with: take another checkpoint'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Look at each step, for an epoch: who copies a model between epochs copies no hooks."""
        model = unwrap_model(runner.model)

        def note(module: nn.Module, args: Any, features: Any) -> None:
            self._features = features

        def check(module: nn.Module, args: Any, batch: dict, losses: Any) -> None:
            if batch.get('mode') == 'loss':
                self._check_step(runner, args, batch, losses)

        self._handles = [
            before_head(model).register_forward_hook(note),
            model.register_forward_hook(check, with_kwargs=True),
        ]

    def after_train_epoch(self, runner: Runner) -> None:
        """Check the weights, before they are pushed and saved."""
        self._look_away()
        on_processes = all_gather_object(weights_not_finite(unwrap_model(runner.model)))
        _check_weights(runner, runner.epoch + 1, on_processes)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check them once more, since a solver may have changed them, on all processes alike.

        Only the process that saves comes here: it must not wait for the others.
        """
        spoilt = weights_not_finite(unwrap_model(runner.model))
        _check_weights(runner, checkpoint['meta']['epoch'], [spoilt])

    def _check_step(self, runner: Runner, args: Any, batch: dict, losses: dict) -> None:
        features, self._features = self._features, None
        bad = ~is_finite([features, losses])
        all_reduce(bad, 'max')  # the others would wait for a process that has ended
        if not bad:
            return
        self._look_away()
        model = unwrap_model(runner.model)
        what = [name for name, value in losses.items() if not is_finite(value)]
        if not what and not is_finite(features):
            what = ['features']
        # On every process: synchronised batch norm waits for all of them.
        module, origin = first_not_finite(model, *args, **batch)
        findings = all_gather_object((what, module, origin))
        what, module, origin = next(finding for finding in findings if finding[0])
        step = runner.iter % len(runner.train_dataloader) + 1
        _end(
            f'not finite in epoch {runner.epoch + 1}, step {step}{stage_in_words(runner)}: '
            f'{", ".join(what)}, beginning {origin}. {remedy(runner, module)}'
        )

    def _look_away(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []


def _check_weights(runner: Runner, epochs: int, on_processes: list[list[str]]) -> None:
    name = next((spoilt[0] for spoilt in on_processes if spoilt), None)
    if name is not None:
        _end(
            f'not finite at the end of epoch {epochs}{stage_in_words(runner)}: weights, {name} to '
            f'begin with, though the loss was. {remedy(runner, name)}'
        )


def _end(message: str) -> NoReturn:
    """End the training on this process, which is one of all that do."""
    if not is_main_process():
        raise SystemExit(1)  # one line is enough
    raise InputError(message)
