"""Runs a data set through a network with the same result, to the bit, on any machine.

A convolution rounds differently for another batch size or number of threads. So all images go
through in batches of one size, whatever the loader's, each computed by one thread.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import torch
from mmengine.dist import all_gather, broadcast, get_world_size, is_main_process
from mmpretrain.structures import DataSample
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader

from mmproto.errors import InputError
from mmproto.functional import NearestImages, NearestPatch, NearestPatches
from mmproto.models import ProtoPNet
from mmproto.models.backbones.backbone_info import is_channels_last, last_map

BATCH_SIZE = 16

Result = TypeVar('Result')
Found = TypeVar('Found', bound=NearestPatch | NearestPatches | NearestImages)


class Images(NamedTuple):
    """What a batch is to whoever looks at it: the first of its rows, without those that fill it.

    Attributes:
        features: The map (N, D, H, W) of the neck, or of the backbone where that is asked for.
        labels: Class of each image (N,), or which classes each has, bool (N, C); see
            :func:`mmproto.functional.of_class`.
        numbers: Index of each image in the data set (N,).
        samples: The data sample of each image.
    """

    features: Tensor
    labels: Tensor
    numbers: Tensor
    samples: Sequence[DataSample]


class Batch(NamedTuple):
    """Images of the data set; the last batch repeats its last image to be full."""

    inputs: list[Tensor]
    labels: Tensor
    numbers: Tensor
    samples: Sequence[DataSample]


def map_images(
    function: Callable[[Images], Result],
    model: ProtoPNet,
    dataloader: DataLoader,
    description: str,
    stage: str = 'neck',
) -> Iterator[Result]:
    """Give what a function makes of every batch of this process's share of a data set.

    The processes get the same buffers first.

    Args:
        function: Called without gradients, by several threads at once.
        model: The classifier, in eval mode.
        dataloader: Images without augmentation, in the order of the data set.
        description: What the progress bar is called.
        stage: Whose maps the function is given: 'neck' or 'backbone'.

    Raises:
        InputError: If the images differ in size.
    """
    broadcast_buffers(model)
    device = next(model.parameters()).device

    def compute(batch: Batch) -> Result:
        with torch.no_grad():  # which holds for a thread, not for all
            data = model.data_preprocessor({'inputs': batch.inputs}, training=False)
            feats = model.extract_feat(data['inputs'], stage)
            channels_last = stage == 'backbone' and is_channels_last(model.backbone)
            features = last_map(feats, channels_last)[: len(batch.labels)]
            labels, numbers = batch.labels.to(device), batch.numbers.to(device)
            return function(Images(features, labels, numbers, batch.samples))

    sampler: Any = dataloader.sampler
    batches = track(
        _batches(model, dataloader),
        total=-(-len(sampler) // BATCH_SIZE),
        description=description,
        disable=not is_main_process(),
    )
    if device.type == 'cuda':  # a thread of its own would be on the first GPU
        yield from map(compute, batches)
    else:
        with one_thread_a_batch() as threads:
            yield from map_in_order(compute, batches, threads)


def broadcast_buffers(model: ProtoPNet) -> None:
    """Give every process the batch norm statistics of the first, whose are saved."""
    for buffer in model.buffers():
        broadcast(buffer)


def gather_processes(mine: Found) -> list[Found]:
    """Give to every process what each of them has found."""
    gathered = {field.name: all_gather(getattr(mine, field.name)) for field in fields(mine)}
    return [
        type(mine)(**{name: parts[rank] for name, parts in gathered.items()})
        for rank in range(get_world_size())
    ]


def _batches(model: ProtoPNet, dataloader: DataLoader) -> Iterator[Batch]:
    """Regroup what the loader gives into batches of the one size."""
    batch_sampler: Any = dataloader.batch_sampler
    samples = (
        (image, sample, index)
        for data, indices in zip(dataloader, batch_sampler)
        for image, sample, index in zip(data['inputs'], data['data_samples'], indices)
    )
    sizes = set()
    while group := list(islice(samples, BATCH_SIZE)):
        inputs, truth, numbers = zip(*group)
        sizes |= {tuple(image.shape[-2:]) for image in inputs}
        if len(sizes) > 1:
            raise InputError(
                f'push_dataloader gives images of different sizes {sorted(sizes)}: end its '
                "pipeline with dict(type='Resize', scale=(width, height))"
            )
        padding = [inputs[-1]] * (BATCH_SIZE - len(inputs))
        labels = model.head.true_labels(truth)
        yield Batch([*inputs, *padding], labels, torch.tensor(numbers), truth)


@contextmanager
def one_thread_a_batch() -> Iterator[int]:
    """Give every operator one thread; yields how many batches to compute at once."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


def map_in_order(function: Callable, items: Iterable, threads: int) -> Iterator[Any]:
    """Like ``map``, on several threads, without taking in more items than are worked on."""
    pending: deque = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
