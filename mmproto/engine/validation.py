from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.runner import Runner
from mmengine.runner.amp import autocast
from mmpretrain.structures import DataSample
from torch import Tensor

from mmproto.models import ProtoPNet, before_head, unwrap_model

Watch = Callable[[Sequence[Tensor], list[DataSample], list[int]], None]


@torch.no_grad()
def validate(runner: Runner, watch: Watch | None = None) -> dict[str, float]:
    """Validate the model as it is now, without the hooks of a validation epoch.

    Args:
        runner: The runner of the model and of its validation set.
        watch: Is given what the head is given of each batch, the batch's samples with their
            predictions, and the indices of its images in the data set.

    Returns:
        The metrics by name, the same on every process; empty without a validation set.
    """
    loop = runner.val_loop
    if loop is None:
        return {}
    runner.model.eval()
    batch_sampler: Any = loop.dataloader.batch_sampler
    with _given_to_head(unwrap_model(runner.model)) as given:
        for batch, images in zip(loop.dataloader, batch_sampler):
            with autocast(enabled=loop.fp16):
                outputs = runner.model.val_step(batch)
            if watch is not None:
                watch(given.pop(), outputs, images)
            loop.evaluator.process(data_samples=outputs, data_batch=batch)
    return numbers(loop.evaluator.evaluate(len(loop.dataloader.dataset)))


@contextmanager
def _given_to_head(model: ProtoPNet) -> Iterator[list[Sequence[Tensor]]]:
    """Note what the head is given; yields a list with the last of it."""
    given: list[Sequence[Tensor]] = []

    def note(module: Any, arguments: Any, feats: Sequence[Tensor]) -> None:
        given[:] = [feats]

    handle = before_head(model).register_forward_hook(note)
    try:
        yield given
    finally:
        handle.remove()


def in_both(
    before: Mapping[str, float], after: Mapping[str, float]
) -> dict[str, tuple[float, float]]:
    """Return the metrics that are known before and after a change of the model."""
    return {metric: (before[metric], value) for metric, value in after.items() if metric in before}


def changes(before: Mapping[str, float], after: Mapping[str, float]) -> list[str]:
    """Say of every metric that is known before and after a change what it was and is."""
    return [
        f'{metric} was {old:.2f} and is {new:.2f}'
        for metric, (old, new) in in_both(before, after).items()
    ]


def numbers(metrics: dict) -> dict[str, float]:
    """Return the metrics that are single numbers."""
    return {name: value for name, value in metrics.items() if isinstance(value, float)}
