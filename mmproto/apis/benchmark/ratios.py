"""A bare backbone, the same with a linear head, and a ProtoPNet: one image, and a training step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper

from mmproto.apis.benchmark.cost import Cost, costs_in_turn
from mmproto.apis.benchmark.networks import RandomImages, Setting
from mmproto.engine.optimizers import BFloat16OptimWrapper

LINEAR = 'linear head'
NETWORKS = ('bare backbone', LINEAR, 'ProtoPNet')
# Ways to compute, and those that are for a GPU alone.
VARIANTS = ('fp32', 'channels_last', 'bf16')
GPU_VARIANTS = ('tf32', 'compile')
Costs = dict[str, Cost]


def one_image(setting: Setting, repeats: int, variant: str = 'fp32') -> Costs:
    """Costs of classifying one image, by the networks' names."""
    setting = _in_format(setting, variant)
    model, baseline = setting.protopnet().eval(), setting.baseline().eval()
    images = torch.rand(1, 3, setting.size, setting.size, device=setting.device)
    forwards: list[Callable] = [partial(model.extract_feat, stage='backbone'), baseline, model]
    if variant == 'compile':
        forwards = [torch.compile(forward) for forward in forwards]

    def of(forward: Callable) -> Callable[[], Any]:
        @torch.no_grad()
        def run() -> None:
            with _autocast(setting, variant):
                forward(images)

        return run

    with _matmul_precision(variant):
        return costs_in_turn(dict(zip(NETWORKS, map(of, forwards))), repeats)


def training_step(
    setting: Setting, recipe: dict, batch_size: int, repeats: int, variant: str = 'fp32'
) -> Costs:
    """Costs of a training step, by the networks' names; that of a ProtoPNet by its stages too.

    Args:
        setting: The networks.
        recipe: ``optim_wrapper`` of a staged schedule.
        batch_size: Number of images.
        repeats: How often each is timed.
        variant: One of ``VARIANTS`` or ``GPU_VARIANTS``.
    """
    setting = _in_format(setting, variant)
    model, baseline = setting.protopnet().train(), setting.baseline().train()
    bare = setting.protopnet().train()
    data = RandomImages(batch_size, setting).batch(batch_size)
    wrapper = BFloat16OptimWrapper if variant == 'bf16' else OptimWrapper
    staged = build_optim_wrapper(model, {**recipe, 'type': wrapper.__name__})
    plain, alone = (
        wrapper(torch.optim.Adam(network.parameters(), lr=1e-4))
        for network in (baseline, bare.backbone)
    )
    images = model.data_preprocessor(data, training=True)['inputs']
    if variant == 'compile':
        for network in (model, baseline, bare):
            network.extract_feat = torch.compile(network.extract_feat)

    def bare_step() -> None:
        with alone.optim_context(bare):
            loss = bare.extract_feat(images, stage='backbone')[-1].float().mean()
        alone.update_params(loss)

    def stage(name: str) -> Callable[[], Any]:
        def step() -> None:
            staged.activate(name, model, iterations=1)
            model.train_step(data, staged)

        return step

    steps = {
        'bare backbone': bare_step,
        LINEAR: lambda: baseline.train_step(data, plain),
        'ProtoPNet': stage('joint'),
        'warm': stage('warm'),
        'last layer': stage('last_layer'),
    }
    with _matmul_precision(variant):
        return costs_in_turn(steps, repeats)


def _in_format(setting: Setting, variant: str) -> Setting:
    return replace(setting, memory_format=variant) if variant == 'channels_last' else setting


def _autocast(setting: Setting, variant: str) -> Any:
    return torch.autocast(setting.device, torch.bfloat16) if variant == 'bf16' else nullcontext()


@contextmanager
def _matmul_precision(variant: str) -> Iterator[None]:
    """Let matrix products round to TF32, if that is asked for; convolutions do so by default."""
    before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = variant == 'tf32'
    torch.set_float32_matmul_precision('high' if variant == 'tf32' else 'highest')
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before[0]
        torch.set_float32_matmul_precision(before[1])
