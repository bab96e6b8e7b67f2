#!/usr/bin/env python
"""Time and memory of the head alone, by its number of prototypes: one training step and one push.

Of random feature maps, ten prototypes a class. Each size runs in a process of its own, so that its
memory is that of no other: the most that was in use beyond what the process began with. On a CPU,
under Linux, times are those of the processor, whatever else it does. With --processes prototypes
and images are shared out among several, and the figures are those of the one that takes most.
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

# First: it says what to install where MMPretrain is missing.
from mmproto.utils.command_line import one_line_errors, positive

# isort: split
import torch
from mmpretrain.structures import DataSample
from torch import distributed

from mmproto.errors import InputError
from mmproto.models import ProtoPNetHead

PER_CLASS = 10
CELLS = 7  # rows and columns of a feature map
MEGABYTE = 2**20
# With it glibc gives what is freed back to the system, so that what is counted is in use.
FREED_AT_ONCE = 'MALLOC_MMAP_THRESHOLD_'


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--prototypes', type=positive, nargs='+', default=[1000, 10_000, 100_000])
    parser.add_argument(
        '--batch-size', type=positive, nargs='+', default=[16, 32], help='images of all processes'
    )
    parser.add_argument(
        '--processes', type=positive, default=1, help='how many share the prototypes and the images'
    )
    parser.add_argument('--channels', type=positive, default=128, help='channels of a prototype')
    parser.add_argument('--repeats', type=positive, default=3, help='how often each is timed')
    parser.add_argument('--last-layer', default='block_sparse', help='model.head.last_layer')
    args = parser.parse_args()
    if min(args.prototypes) < PER_CLASS:
        parser.error(f'--prototypes: give at least {PER_CLASS}, those of one class')
    if any(images % args.processes for images in args.batch_size):
        raise InputError(
            f'--processes {args.processes}: give --batch-size multiples of that, not '
            f'{args.batch_size}'
        )
    return args


def count_memory_from_now():
    """Forget the most memory that was in use so far, and return what is: bytes."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    else:
        Path('/proc/self/clear_refs').write_text('5', encoding='ascii')
    return most_memory()


def most_memory():
    """Bytes that were in use at most."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    status = Path('/proc/self/status').read_text(encoding='ascii').splitlines()
    (line,) = (line for line in status if line.startswith('VmHWM:'))
    return 1024 * int(line.split()[1])


def build(args, count, images):
    """A head, and a training step of it and a push's search, of one size."""
    torch.manual_seed(0)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    own = images // args.processes
    features = torch.rand(own, args.channels, CELLS, CELLS, device=device, requires_grad=True)
    labels = torch.arange(own, device=device) * 7 % (count // PER_CLASS)
    samples = [DataSample().set_gt_label(label) for label in labels]
    numbers = torch.arange(own, device=device)
    head = ProtoPNetHead(
        count // PER_CLASS,
        args.channels,
        PER_CLASS,
        last_layer=args.last_layer,
        other_class_weight=0.0,
    ).to(device)

    def step():
        sum(head.loss([features], samples).values()).backward()

    def search():
        head.nearest_patches([features.detach()], labels, numbers)

    return head, step, search


def memory(args, count, images):
    """Megabytes that the head and two training steps take at most."""
    before = count_memory_from_now()
    head, step, _ = build(args, count, images)
    if args.processes > 1:
        head.share_out()
    count_memory_from_now()
    step()
    step()
    return [(most_memory() - before) / MEGABYTE]


def seconds(args, count, images):
    """Seconds of a training step, and of a push's search, which compares with all prototypes."""
    head, step, search = build(args, count, images)
    push = timed(search, args.repeats)
    if args.processes > 1:
        head.share_out()
    return [timed(step, args.repeats), push]


def timed(function, repeats):
    """Median seconds, after one call that is not counted."""
    each = []
    for _ in range(repeats + 1):
        start = now()
        function()
        each.append(now() - start)
    return statistics.median(each[1:])


def now():
    if not torch.cuda.is_available():
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def apart(function, args, *size):
    """Call a function in processes of their own, and return the largest of each figure."""
    spawn = multiprocessing.get_context('spawn')
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(args.processes, mp_context=spawn) as pool,
    ):
        calls = [
            pool.submit(in_group, f'{folder}/rendezvous', rank, function, args, *size)
            for rank in range(args.processes)
        ]
        return [max(figures) for figures in zip(*(call.result() for call in calls))]


def in_group(rendezvous, rank, function, args, *size):
    """Call a function in a process of several that know each other."""
    if args.processes == 1:
        return function(args, *size)
    on_gpus = torch.cuda.is_available()
    if on_gpus:
        torch.cuda.set_device(rank)
    distributed.init_process_group(
        'nccl' if on_gpus else 'gloo', f'file://{rendezvous}', rank=rank, world_size=args.processes
    )
    try:
        return function(args, *size)
    finally:
        distributed.destroy_process_group()


def main():
    args = parse_args()
    print('prototypes  classes  images  memory MB  step ms  push ms')
    for count in args.prototypes:
        for images in args.batch_size:
            os.environ[FREED_AT_ONCE] = '65536'
            (megabytes,) = apart(memory, args, count, images)
            del os.environ[FREED_AT_ONCE]
            step, push = apart(seconds, args, count, images)
            print(
                f'{count:10,}  {count // PER_CLASS:7,}  {images:6}  {megabytes:9,.0f}  '
                f'{1000 * step:7.0f}  {1000 * push:7.0f}',
                flush=True,
            )


if __name__ == '__main__':
    with one_line_errors():
        main()
