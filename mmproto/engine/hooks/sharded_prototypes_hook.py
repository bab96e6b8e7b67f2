from collections.abc import Callable
from typing import Any

from mmengine.dist import all_gather_object, get_world_size
from mmengine.hooks import CheckpointHook, Hook
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from mmproto.engine.hooks.ema_hook import PushedEMAHook
from mmproto.engine.optimizers import StagedOptimWrapper
from mmproto.errors import InputError
from mmproto.models import unwrap_model

PROTOTYPES = 'head.prototype_vectors'
# Whose step of a number depends on that number alone, so that a share is stepped like the whole.
ELEMENTWISE = (
    *('SGD', 'Adam', 'AdamW', 'Adamax', 'NAdam', 'RAdam'),
    *('RMSprop', 'Adagrad', 'Adadelta', 'ASGD', 'Rprop'),
)


@HOOKS.register_module()
class ShardedPrototypesHook(Hook):
    """Shares the prototypes out among the processes of a training, for thousands of classes.

    .. code:: python

        custom_hooks = [dict(type='PrototypePushHook'), dict(type='ShardedPrototypesHook')]

    In the steps of an epoch each process holds its share of the prototypes, with their gradients
    and moments, and compares the images of all processes with it; see :class:`PrototypeShares`.
    The steps are the same as without, but for rounding. At the end of an epoch the prototypes are
    put together: what is pushed, solved, validated and saved is whole, on every process, and a
    training goes on from it on any number of processes, with this hook or without. On one process
    nothing changes. ``docs/many_classes.md`` says what it costs.

    Raises:
        InputError: Before training, if something looks at prototypes that other processes hold: a
            loss term, a hook, an optimizer; or if the processes are given unequal shares of images.
    """

    priority = 'VERY_HIGH'  # what it refuses, before others take time

    def before_run(self, runner: Runner) -> None:
        """Tell DDP, before the loop wraps the model, that the processes' prototypes differ."""
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(
            unwrap_model(runner.model), [PROTOTYPES]
        )

    def before_train(self, runner: Runner) -> None:
        """Refuse what would look at the prototypes of other processes, or wait for them."""
        self.check(runner)
        loader: Any = runner.train_dataloader
        images = all_gather_object((len(loader), len(loader.sampler)))
        if len(set(images)) > 1:
            raise InputError(
                'custom_hooks: ShardedPrototypesHook needs equally many images on all processes, '
                f'which are given {[count for _, count in images]}: set '
                'train_dataloader.sampler.round_up=True'
            )

    @staticmethod
    def check(runner: Runner) -> None:
        """Raise an InputError if something would look at the prototypes of other processes."""
        if not isinstance(runner.optim_wrapper, StagedOptimWrapper):
            raise _refusal("optim_wrapper is built by no 'ProtoPNetOptimWrapperConstructor'")
        head = unwrap_model(runner.model).head
        if len(head.prototype_class) < get_world_size():
            raise _refusal(
                f'model.head has {len(head.prototype_class)} prototypes and there are '
                f'{get_world_size()} processes'
            )
        for name, term in head.loss_module.terms.items():
            if term.compares_prototypes:
                raise _refusal(f'model.head.loss.{name} compares prototypes with each other')
        for hook in runner.hooks:
            if isinstance(hook, PushedEMAHook):
                raise _refusal('the PushedEMAHook averages prototypes')
            if isinstance(hook, CheckpointHook) and not hook.by_epoch:
                raise _refusal('default_hooks.checkpoint.by_epoch=False saves within an epoch')
        for stage, wrapper in runner.optim_wrapper.items():
            trained = [one for group in wrapper.optimizer.param_groups for one in group['params']]
            alone = all(one is head.prototype_vectors for one in trained)
            if alone and wrapper._accumulative_counts > 1:  # DDP would see none of its steps end
                raise _refusal(
                    f'optim_wrapper.stages.{stage} trains them alone, with accumulative_counts'
                )
            kind = type(wrapper.optimizer).__name__
            if kind not in ELEMENTWISE:
                raise _refusal(f'the optimizer {kind} may look at all prototypes at once')
            if wrapper.clip_grad_kwargs:
                raise _refusal('optim_wrapper.clip_grad looks at all gradients at once')
            if isinstance(wrapper, AmpOptimWrapper):
                raise _refusal(
                    "optim_wrapper.type='AmpOptimWrapper' scales the loss by all gradients "
                    '(BFloat16OptimWrapper does not)'
                )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Share out, before the first step of an epoch."""
        if batch_idx == 0 and get_world_size() > 1:
            shares = unwrap_model(runner.model).head.share_out()
            _change_moments(runner, shares.own)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Put together, after the last step of an epoch."""
        head = unwrap_model(runner.model).head
        if self.end_of_epoch(runner.train_dataloader, batch_idx) and head.shares is not None:
            _change_moments(runner, head.shares.together)
            head.put_together()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse a checkpoint that has a share alone, whoever saves it."""
        if unwrap_model(runner.model).head.shares is not None:
            raise _refusal('a hook of custom_hooks saves within an epoch')


def _change_moments(runner: Runner, change: Callable[[Tensor], Tensor]) -> None:
    """Change what the optimizers keep of each prototype, and forget the gradient."""
    prototypes = unwrap_model(runner.model).head.prototype_vectors
    prototypes.grad = None
    for wrapper in runner.optim_wrapper.values():
        moments = wrapper.optimizer.state.get(prototypes, {})
        for name, value in moments.items():
            if isinstance(value, Tensor) and value.ndim:
                moments[name] = change(value)


def _refusal(reason: str) -> InputError:
    return InputError(
        f'custom_hooks: ShardedPrototypesHook gives each process a share of the prototypes, but '
        f'{reason}: leave one of the two out'
    )
