"""Walks a data set and finds every prototype's nearest patch, on one process or several."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from itertools import islice
from typing import Any, NamedTuple

import torch
from mmengine.dist import all_gather, broadcast, get_world_size, is_main_process
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader

from mmproto.errors import InputError
from mmproto.functional import NearestPatch
from mmproto.models import ProtoPNet

# A convolution rounds differently for another batch size or number of threads, and a prototype is
# to be the same to the bit on any machine: so all images go through in batches of this size,
# whatever the loader's, each computed by one thread.
BATCH_SIZE = 16


class Batch(NamedTuple):
    """Images of the push set; the last batch repeats its last image to be full."""

    inputs: list[Tensor]
    labels: Tensor
    images: Tensor


@torch.no_grad()
def find_nearest_patches(model: ProtoPNet, dataloader: DataLoader) -> NearestPatch:
    """Find each prototype's nearest patch among the images of its class in a data set.

    One pass over the data; nothing is held but one patch a prototype. Every process takes its
    share of the data and gets the same result, which does not depend on the number of processes,
    the batch size or the number of workers.

    Args:
        model: A classifier with a :class:`ProtoPNetHead`, in eval mode.
        dataloader: Images without augmentation, in the order of the data set.

    Raises:
        InputError: If the images differ in size, or a prototype has no patch to go to.
    """
    broadcast_buffers(model)

    def search(batch: Batch) -> NearestPatch:
        device = model.head.prototype_vectors.device
        with torch.no_grad():
            data = model.data_preprocessor({'inputs': batch.inputs}, training=False)
            features = model.extract_feat(data['inputs'])[-1][: len(batch.labels)]
            return model.head.nearest_patches(
                [features], batch.labels.to(device), batch.images.to(device)
            )

    sampler: Any = dataloader.sampler
    batches = track(
        _batches(dataloader),
        total=-(-len(sampler) // BATCH_SIZE),
        description='push',
        disable=not is_main_process(),
    )
    if next(model.parameters()).is_cuda:  # a thread of its own would be on the first GPU
        mine = NearestPatch.merge_all(map(search, batches))
    else:
        with _one_thread_a_batch() as threads:
            mine = NearestPatch.merge_all(_map_in_order(search, batches, threads))
    nearest = _merge_processes(mine)
    lost = ~nearest.distance.isfinite()
    if lost.any():
        classes = sorted(set(model.head.prototype_class[lost].tolist()))
        raise InputError(
            f'no patch was found for prototypes of {len(classes)} classes, {classes[:5]} to begin '
            'with: the push set has no image of them, or the network gives numbers that are not '
            'finite'
        )
    return nearest


def broadcast_buffers(model: ProtoPNet) -> None:
    """Give every process the batch norm statistics of the first, whose are saved."""
    for buffer in model.buffers():
        broadcast(buffer)


def _batches(dataloader: DataLoader) -> Iterator[Batch]:
    """Regroup what the loader gives into batches of the one size."""
    batch_sampler: Any = dataloader.batch_sampler
    samples = (
        (image, int(sample.gt_label), index)
        for data, indices in zip(dataloader, batch_sampler)
        for image, sample, index in zip(data['inputs'], data['data_samples'], indices)
    )
    sizes = set()
    while group := list(islice(samples, BATCH_SIZE)):
        inputs, labels, images = zip(*group)
        sizes |= {tuple(image.shape[-2:]) for image in inputs}
        if len(sizes) > 1:
            raise InputError(
                f'push_dataloader gives images of different sizes {sorted(sizes)}: end its '
                "pipeline with dict(type='Resize', scale=(width, height))"
            )
        padding = [inputs[-1]] * (BATCH_SIZE - len(inputs))
        yield Batch([*inputs, *padding], torch.tensor(labels), torch.tensor(images))


@contextmanager
def _one_thread_a_batch() -> Iterator[int]:
    """Give every operator one thread; yields how many batches to compute at once."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


def _map_in_order(function: Callable, items: Iterable, threads: int) -> Iterator[Any]:
    """Like ``map``, on several threads, without taking in more items than are worked on."""
    pending: deque = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _merge_processes(mine: NearestPatch) -> NearestPatch:
    gathered = {field.name: all_gather(getattr(mine, field.name)) for field in fields(mine)}
    return NearestPatch.merge_all(
        NearestPatch(**{name: parts[rank] for name, parts in gathered.items()})
        for rank in range(get_world_size())
    )
