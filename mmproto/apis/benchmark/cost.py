"""Seconds and bytes of functions that are compared."""

import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

MEGABYTE = 2**20


@dataclass(frozen=True)
class Cost:
    """What a function costs.

    Attributes:
        seconds: Median time.
        megabytes: Memory of its tensors at the worst moment, beyond those that there were before.
    """

    seconds: float
    megabytes: float


def costs_in_turn(functions: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, Cost]:
    """Time of functions that take turns, and the memory that each needs."""
    seconds = time_in_turn(functions, repeats)
    return {name: Cost(seconds[name], peak_bytes(functions[name]) / MEGABYTE) for name in functions}


def time_in_turn(functions: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median seconds of each function; they take turns, after one turn that is not counted.

    What else a machine has to do hits all of them alike, so that their ratios mean more than the
    seconds.
    """
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(repeats + 1):
        for name, function in functions.items():
            taken = seconds_of(function)
            if turn:
                seconds[name].append(taken)
    return {name: statistics.median(values) for name, values in seconds.items()}


def seconds_of(function: Callable[[], Any]) -> float:
    """Seconds of one call, to the end of its work on a GPU."""
    start = time.perf_counter()
    function()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def peak_bytes(function: Callable[[], Any]) -> int:
    """Bytes of tensors that a call needs at the worst moment, beyond those that there are before.

    On a CPU these are the allocations that torch's profiler sees, whatever the system gives the
    process; on a GPU those of its allocator.
    """
    if torch.cuda.is_available():
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        function()
        return torch.cuda.max_memory_allocated() - before
    os.environ.setdefault('KINETO_LOG_LEVEL', '99')  # else it tells of each start and stop
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        function()
    events: Any = profiled.profiler.kineto_results.events()
    changes = (event.nbytes() for event in events if event.name() == '[memory]')
    return max(accumulate(changes), default=0)
