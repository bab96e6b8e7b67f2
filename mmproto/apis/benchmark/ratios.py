"""A bare backbone, the same with a linear head, and a ProtoPNet: one image, and a training step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.optim.optimizer import AmpOptimWrapper
from torch import nn

from mmproto.apis.benchmark.cost import Cost, costs_in_turn
from mmproto.apis.benchmark.networks import RandomImages, Setting

LINEAR = 'linear head'
NETWORKS = ('bare backbone', LINEAR, 'ProtoPNet')
PRECISIONS = ('fp32', 'tf32', 'bf16', 'compile')
Costs = dict[str, Cost]


def one_image(setting: Setting, repeats: int, precision: str = 'fp32') -> Costs:
    """Costs of classifying one image, by the networks' names."""
    model, baseline = setting.protopnet().eval(), setting.baseline().eval()
    images = torch.rand(1, 3, setting.size, setting.size, device=setting.device)
    forwards: list[Callable] = [model.backbone, baseline, model]
    if precision == 'compile':
        forwards = [torch.compile(forward) for forward in forwards]

    def of(forward: Callable) -> Callable[[], Any]:
        @torch.no_grad()
        def run() -> None:
            with _autocast(setting, precision):
                forward(images)

        return run

    with _matmul_precision(precision):
        return costs_in_turn(dict(zip(NETWORKS, map(of, forwards))), repeats)


def training_step(
    setting: Setting, recipe: dict, batch_size: int, repeats: int, precision: str = 'fp32'
) -> Costs:
    """Costs of a training step, by the networks' names; that of a ProtoPNet by its stages too.

    Args:
        setting: The networks.
        recipe: ``optim_wrapper`` of a staged schedule.
        batch_size: Number of images.
        repeats: How often each is timed.
        precision: One of ``PRECISIONS``.
    """
    model, baseline = setting.protopnet().train(), setting.baseline().train()
    backbone: nn.Module = setting.protopnet().train().backbone
    data = RandomImages(batch_size, setting).batch(batch_size)
    kind: dict[str, Any] = dict(type='OptimWrapper')
    if precision == 'bf16':
        kind = dict(type='AmpOptimWrapper', dtype='bfloat16')
    staged = build_optim_wrapper(model, {**recipe, **kind})
    plain, bare = (_adam(network, precision) for network in (baseline, backbone))
    images = model.data_preprocessor(data, training=True)['inputs']
    if precision == 'compile':
        for network in (model, baseline, backbone):  # as MMEngine's Runner does
            network.forward = torch.compile(network.forward)

    def bare_step() -> None:
        with bare.optim_context(backbone):
            loss = backbone(images)[-1].float().mean()
        bare.update_params(loss)

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
    with _matmul_precision(precision):
        return costs_in_turn(steps, repeats)


def _adam(network: nn.Module, precision: str) -> OptimWrapper:
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    if precision == 'bf16':
        return AmpOptimWrapper(dtype='bfloat16', optimizer=optimizer)
    return OptimWrapper(optimizer)


def _autocast(setting: Setting, precision: str) -> Any:
    return torch.autocast(setting.device, torch.bfloat16) if precision == 'bf16' else nullcontext()


@contextmanager
def _matmul_precision(precision: str) -> Iterator[None]:
    """Let matrix products round to TF32, if that is asked for; convolutions do so by default."""
    before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = precision == 'tf32'
    torch.set_float32_matmul_precision('high' if precision == 'tf32' else 'highest')
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before[0]
        torch.set_float32_matmul_precision(before[1])
