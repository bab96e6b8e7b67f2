"""What to do about a training whose numbers are not finite any more, in words."""

from mmengine.optim import AmpOptimWrapper
from mmengine.runner import Runner

from mmproto.engine.last_checkpoint import last_checkpoint
from mmproto.engine.optimizers import StagedOptimWrapper
from mmproto.engine.optimizers.param_groups import group_of


def stage_in_words(runner: Runner) -> str:
    """Like " (stage 'joint')"; '' where there are no stages."""
    wrapper = runner.optim_wrapper
    return f' (stage {wrapper.stage!r})' if isinstance(wrapper, StagedOptimWrapper) else ''


def remedy(runner: Runner, name: str | None) -> str:
    """Say what to lower, and which checkpoint is still good.

    Args:
        runner: The runner of the training.
        name: Where it began: a module of the model or a parameter; None if that is not known.
    """
    last = last_checkpoint(runner.work_dir)
    kept = f'the last good checkpoint is {last}' if last else 'no checkpoint yet'
    return f'Lower {_rates(runner, name)}{_precision(runner)}; {kept}'


def _rates(runner: Runner, name: str | None) -> str:
    """Name the learning rate of a group, or of all that train where that one is frozen."""
    wrapper = runner.optim_wrapper
    if not isinstance(wrapper, StagedOptimWrapper):
        return f'optim_wrapper.optimizer.lr (now {wrapper.get_lr()["lr"][0]:.3g})'
    rates = {group: wrapper.get_lr()[f'{group}.lr'][0] for group in wrapper.groups}
    training = {group: rate for group, rate in rates.items() if rate}
    group = group_of(f'{name}.') if name else None
    named = {group: rates[group]} if group in training else training
    return ' and '.join(
        f'optim_wrapper.stages.{wrapper.stage}.{group}.lr (now {rate:.3g})'
        for group, rate in named.items()
    )


def _precision(runner: Runner) -> str:
    wrapper = runner.optim_wrapper
    active = wrapper.active if isinstance(wrapper, StagedOptimWrapper) else wrapper
    if not isinstance(active, AmpOptimWrapper):
        return ''
    return ', or leave out --amp, or train with --amp bfloat16'
