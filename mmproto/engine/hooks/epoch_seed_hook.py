import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from mmengine.hooks import DistSamplerSeedHook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from torch import Tensor
from torch.utils.data import get_worker_info


@HOOKS.register_module()
class EpochSeedHook(DistSamplerSeedHook):
    """Begins every epoch with random numbers that follow from the seed and the epoch.

    .. code:: python

        default_hooks = dict(sampler_seed=dict(type='EpochSeedHook'))

    So a run that goes on from a checkpoint draws what the unbroken one would have drawn: the order
    of the images, their augmentation in each worker of each process, dropout. That needs as many
    workers and processes as before.
    """

    priority = 'LOWEST'  # nothing draws between this and the epoch

    def __init__(self) -> None:
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # workers read it

    def before_train(self, runner: Runner) -> None:
        """Take the seed of the order of the images from the checkpoint, if there is one."""
        hub, batch_sampler = runner.message_hub, runner.train_loop.dataloader.batch_sampler
        sampler: Any = getattr(batch_sampler, 'sampler', None)
        if runner.epoch and 'sampler_seed' in hub.runtime_info:
            sampler.seed = hub.get_info('sampler_seed')
        elif hasattr(sampler, 'seed'):
            hub.update_info('sampler_seed', sampler.seed)

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed this process, and let each worker seed itself at its first images."""
        super().before_train_epoch(runner)
        self.epoch.fill_(runner.epoch)
        seed_epoch(runner.seed, runner.epoch, runner.rank)
        loader = runner.train_loop.dataloader
        loader.worker_init_fn = partial(follow_epochs, self.epoch, runner.seed, runner.rank)
        loader.generator = torch.Generator()  # or starting workers would draw from the epoch's own


def seed_epoch(seed: int, epoch: int, rank: int, worker: int | None = None) -> None:
    """Seed Python, NumPy and torch of a process, or of one of its workers, for an epoch."""
    place = [seed, epoch, rank, 0 if worker is None else worker + 1]
    drawn = int(np.random.SeedSequence(place).generate_state(1)[0])
    random.seed(drawn)
    np.random.seed(drawn)
    torch.manual_seed(drawn)


def follow_epochs(epoch: Tensor, seed: int, rank: int, worker: int) -> None:
    """Let a loader's worker seed itself whenever another epoch has begun, persistent or not.

    Args:
        epoch: The epoch, in memory that the worker shares.
        seed: Seed of the run.
        rank: Of the process.
        worker: Number of the worker in it.
    """
    info: Any = get_worker_info()
    # PyTorch takes a batch by this method, where a data set has it.
    fetch: Callable = getattr(info.dataset, '__getitems__', None) or (
        lambda indices: [info.dataset[index] for index in indices]
    )
    seeded = None

    def fetch_seeded(indices: list[int]) -> list:
        nonlocal seeded
        if seeded != epoch.item():
            seeded = epoch.item()
            seed_epoch(seed, int(seeded), rank, worker)
        return fetch(indices)

    info.dataset.__getitems__ = fetch_seeded
