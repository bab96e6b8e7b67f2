"""Sends a few images through what was built, and hears which metrics come out."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from itertools import cycle
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.hooks import CheckpointHook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch import Tensor
from torch.utils.data import DataLoader

from mmproto.apis.config_check.finding import Finding, did_you_mean, valued
from mmproto.apis.config_check.parts import schedulers_of
from mmproto.datasets.checks import data_infos
from mmproto.datasets.image_files import UNREADABLE, open_image
from mmproto.errors import InputError
from mmproto.evaluation import ExplanationMetrics

PROBES = 4  # images of a batch, beside those that differ most
SEEN = 2  # of them go through the network
HEADERS = 500  # files whose size is looked at
METRICS_OF = ('mmproto.', 'mmpretrain.', 'mmengine.')


def probe(dataset: Any) -> list[int]:
    """Choose images that differ most: in their number of labels, and the size of their files."""
    infos = data_infos(dataset)
    numbers = [*infos]
    counts = [np.size(infos[number].get('gt_label', 0)) for number in numbers]
    chosen = [numbers[int(np.argmin(counts))], numbers[int(np.argmax(counts))]]
    chosen += [numbers[i] for i in np.linspace(0, len(numbers) - 1, PROBES).astype(int)]
    some = [numbers[i] for i in np.linspace(0, len(numbers) - 1, HEADERS).astype(int)]
    sizes = {n: size for n in {*some} if (size := _size_of(infos[n].get('img_path')))}
    if sizes:
        chosen += [min(sizes, key=lambda n: sizes[n][0] / sizes[n][1])]
        chosen += [max(sizes, key=lambda n: sizes[n][0] / sizes[n][1])]
        chosen += [min(sizes, key=lambda n: sizes[n][0]), max(sizes, key=lambda n: sizes[n][0])]
    return [*dict.fromkeys(chosen)]


def _size_of(path: str | None) -> tuple[int, int] | None:
    try:
        with open_image(path or '') as image:
            return image.size
    except UNREADABLE:  # none, or told by who reads it
        return None


def batch_of(loader: DataLoader, name: str) -> dict:
    """Return the probed images of a data set as its loader puts them together.

    Raises:
        InputError: If they differ in size.
    """
    dataset: Any = loader.dataset
    samples = [dataset[number] for number in probe(dataset)]
    if not all(isinstance(one, Mapping) and 'inputs' in one for one in samples):
        raise InputError(
            f"{name}.dataset gives no inputs: end its pipeline with dict(type='PackInputs')"
        )
    shapes = {tuple(one['inputs'].shape) for one in samples if isinstance(one['inputs'], Tensor)}
    if len(shapes) > 1:
        raise InputError(
            f'{name}.dataset gives images of different sizes, such as '
            f'{" and ".join(map(str, sorted(shapes)[:2]))} (channels, height, width): end its '
            "pipeline with dict(type='Resize', scale=(width, height)) before PackInputs"
        )
    return (loader.collate_fn or pseudo_collate)(samples[:SEEN])


def take_steps(wrapper: OptimWrapper) -> None:
    """Let every optimizer take a step with gradients of zero, on the trial's own parameters."""
    for one in wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]:
        if type(one) is not OptimWrapper:  # those of mixed precision need a GPU
            continue
        for group in one.optimizer.param_groups:
            for parameter in group['params']:
                parameter.grad = torch.zeros_like(parameter)
        one.step()
        one.zero_grad()


@torch.no_grad()
def losses_of(model: Any, batch: dict) -> None:
    """Compute the losses of a training batch.

    Raises:
        InputError: If their sum is not finite.
    """
    model.train()
    data = model.data_preprocessor(batch, training=True)
    losses = model(**data, mode='loss')
    total, _ = model.parse_losses(losses)
    if not torch.isfinite(total):
        terms = {name: float(torch.as_tensor(value).sum()) for name, value in losses.items()}
        raise InputError(
            f'model: the loss of the first images is not finite ({terms}): look at '
            'data_preprocessor and at the weights in model.head.loss'
        )


@torch.no_grad()
def metrics_of(
    model: Any, dataset: Any, batch: dict, evaluator: Evaluator
) -> dict[str, Any] | None:
    """Return the metrics of a batch's predictions, as if there were such of every label.

    Returns:
        The metrics by their names; None where they cannot all be known.
    """
    model.eval()
    evaluator.dataset_meta = getattr(dataset, 'metainfo', None)
    predicted = model.val_step(deepcopy(batch))
    infos = data_infos(dataset)
    labels = {str(info.get('gt_label')): info.get('gt_label') for info in infos.values()}
    samples = [_labelled(one, label) for one, label in zip(cycle(predicted), labels.values())]
    known: dict[str, Any] | None = {}
    for metric in evaluator.metrics:
        if isinstance(metric, ExplanationMetrics):  # dear, and of the images themselves
            known = None
            continue
        metric.process(batch, [_as_dict(one) for one in predicted])
        if not type(metric).__module__.startswith(METRICS_OF):
            known = None  # it may ask for what a few images do not have
            continue
        metric.results.clear()
        metric.process(batch, [_as_dict(one) for one in samples])
        found = metric.compute_metrics(list(metric.results)) or {}
        if known is not None:
            prefix = f'{metric.prefix}/' if metric.prefix else ''
            known |= {f'{prefix}{key}': value for key, value in found.items()}
    return known


def check_monitored(runner: Runner, metrics: Mapping[str, Any]) -> Iterator[Finding]:
    """Check that what hooks and schedulers go by is a metric, and a number."""
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook) and hook.save_best:
            yield from _check_best(hook, metrics)
    for setting, config in schedulers_of(runner.cfg.get('param_scheduler')):
        if isinstance(config, Mapping) and 'monitor' in config:
            yield from _check_metric(f'{setting}.monitor', config['monitor'], metrics)
    hooks = runner.cfg.get('custom_hooks') or ()
    for number, config in enumerate(hooks):
        if isinstance(config, Mapping) and isinstance(config.get('monitor'), str):
            yield from _check_metric(f'custom_hooks.{number}.monitor', config['monitor'], metrics)


def _check_best(hook: CheckpointHook, metrics: Mapping[str, Any]) -> Iterator[Finding]:
    setting = 'default_hooks.checkpoint.save_best'
    for name in hook.key_indicators:
        first = next(iter(metrics), None) if name == 'auto' else name
        if first is None:
            yield Finding(setting, f"{setting}='auto': the validation has no metric")
            continue
        yield from _check_metric(setting, first, metrics)
        try:
            deepcopy(hook)._init_rule(hook.rules, [first])
        except ValueError:
            yield Finding(
                setting,
                f'{valued(setting, name)}: nothing says whether {first} is to be high or low; set '
                "default_hooks.checkpoint.rule='greater' or 'less'",
            )


def _check_metric(setting: str, name: str, metrics: Mapping[str, Any]) -> Iterator[Finding]:
    if name == 'loss' and setting.startswith('param_scheduler'):
        return
    if name not in metrics:
        yield Finding(
            setting,
            f'{valued(setting, name)}: the validation has no such metric; '
            f'{did_you_mean(name, metrics)}',
        )
    elif np.size(_number(metrics[name])) != 1:
        single = [one for one, value in metrics.items() if np.size(_number(value)) == 1]
        yield Finding(
            setting,
            f'{valued(setting, name)}: {name} is a list, not one number; choose among '
            f'{", ".join(single) or "none"}',
        )


def _number(value: Any) -> Any:
    return value.cpu().numpy() if isinstance(value, Tensor) else value


def _labelled(sample: DataSample, label: Any) -> DataSample:
    copy = sample.clone()
    return copy.set_gt_label(label) if label is not None else copy


def _as_dict(sample: Any) -> Any:
    return sample.to_dict() if hasattr(sample, 'to_dict') else sample
