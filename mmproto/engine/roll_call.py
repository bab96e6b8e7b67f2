"""Names the process that the others of a training wait for in vain."""

import os
import socket
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mmengine
import torch
import torch.distributed as dist
from mmengine.dist import get_rank, get_world_size
from mmengine.runner import Runner

from mmproto.errors import InputError

MESSENGERS = str(Path(torch.__file__).parent), str(Path(mmengine.dist.__file__).parent)
# Seconds that a process has to say that it has given up waiting as well.
ANSWER_WITHIN = 10.0


@contextmanager
def roll_call(runner: Runner) -> Iterator[None]:
    """Raise one line that names the processes that hang, where others have waited too long.

    .. code:: python

        env_cfg = dict(dist_cfg=dict(backend='nccl', timeout=600))  # seconds

    A collective operation that takes longer than ``timeout`` fails on every process but those
    that never came to it. The others then say so to each other, and whoever is silent hangs, or
    has been killed. Until then nothing is done, so it costs a step nothing. NCCL ends a process
    without an exception, unless ``TORCH_NCCL_BLOCKING_WAIT=1`` is in the environment.

    Raises:
        InputError: If a collective operation has failed and some process does not answer.
    """
    if get_world_size() == 1:
        yield
        return
    rank, ranks = get_rank(), range(get_world_size())
    # The key-value store by which the processes have met; torch has no public name for it.
    store = dist.PrefixStore('roll_call', dist.distributed_c10d._get_default_store())
    store.set(f'process/{rank}', f'process {os.getpid()} on {socket.gethostname()}')
    try:
        yield
    except Exception as error:
        store.set(f'answer/{rank}', '')
        if not _of_a_collective(error):
            raise
        silent = _silent(store, ranks)
        if not silent:
            raise
        if any(other not in silent for other in ranks[:rank]):
            time.sleep(3)  # all end with the first that ends: let that be the one that speaks
            raise SystemExit(1) from None
        named = ', '.join(
            f'rank {other} ({store.get(f"process/{other}").decode()})' for other in silent
        )
        raise InputError(
            f'{named} hangs, or was killed: the others waited for it in vain in epoch '
            f'{runner.epoch + 1}, iteration {runner.iter + 1}, {_place(error)}. See what it does '
            '(py-spy dump --pid) and go on by --resume; if it is only slow, raise '
            'env_cfg.dist_cfg.timeout'
        ) from None


def _silent(store: dist.Store, ranks: range) -> list[int]:
    """Return the processes that have not given up, after giving them some time to."""
    until = time.monotonic() + ANSWER_WITHIN
    while True:
        silent = [rank for rank in ranks if not store.check([f'answer/{rank}'])]
        if not silent or time.monotonic() > until:
            return silent
        time.sleep(0.5)


def _of_a_collective(error: Exception) -> bool:
    """Whether an operation of several processes has failed; gloo's errors have no type."""
    return isinstance(error, dist.DistError) or 'gloo' in str(error)


def _place(error: Exception) -> str:
    """Say which function was waiting, out of those that do not only pass messages."""
    frames = traceback.extract_tb(error.__traceback__)
    named = [frame for frame in frames if not frame.filename.startswith(MESSENGERS)]
    return f'in {named[-1].name} of {Path(named[-1].filename).name}'
