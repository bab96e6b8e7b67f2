"""Where in a network numbers stop being finite."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmproto.models.outputs import HeadOutputs


def is_finite(values: Any) -> Tensor:
    """Whether all numbers are finite of a tensor, or of tensors in lists and dictionaries: bool."""
    finite = [tensor.isfinite().all() for tensor in _tensors(values)]
    return torch.stack(finite).all() if finite else torch.tensor(True)


@torch.no_grad()
def first_not_finite(model: nn.Module, *args: Any, **kwargs: Any) -> tuple[str | None, str]:
    """Run a network once more, to see where numbers stop being finite.

    Args:
        model: The network.
        *args: What it is called with.
        **kwargs: Likewise.

    Returns:
        Name of the first module, in the order in which they end, whose output is not finite while
        its inputs were, 'head' if it is in none of those that are called; None if there is none.
        And the same in words.
    """
    given: dict[str, bool] = {}  # judged beforehand, since a module may write over its input
    found: list[str] = []
    handles = []
    for name, module in model.named_modules():

        def before(module: Any, args: Any, kwargs: Any, name: str = name) -> None:
            given[name] = bool(is_finite([args, kwargs]))

        def after(module: Any, args: Any, output: Any, name: str = name) -> None:
            if not found and given[name] and not is_finite(output):
                found.append(name or 'head')  # the loss of a head is called as a method

        handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
        handles.append(module.register_forward_hook(after))
    try:
        model(*args, **kwargs)
    finally:
        for handle in handles:
            handle.remove()
    if not given['']:
        return None, 'with the images: look at them and at data_preprocessor.std'
    if not found:
        return None, 'nowhere when the batch is computed again'
    spoilt = weights_not_finite(model.get_submodule(found[0]))
    return found[0], f'in {found[0]}{", whose weights are not finite any more" if spoilt else ""}'


def weights_not_finite(model: nn.Module) -> list[str]:
    """Names of the parameters and running statistics of a network that are not finite, in order."""
    weights = dict(model.named_parameters())
    for name, module in model.named_modules():
        for statistic in ('running_mean', 'running_var'):
            value = getattr(module, statistic, None)
            if value is not None:
                weights[f'{name}.{statistic}'.lstrip('.')] = value
    return [name for name, weight in weights.items() if not is_finite(weight)]


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, Mapping):
        for value in values.values():
            yield from _tensors(value)
    elif isinstance(values, Sequence) and not isinstance(values, str):
        for value in values:
            yield from _tensors(value)
    elif isinstance(values, HeadOutputs):
        yield from _tensors(vars(values))
