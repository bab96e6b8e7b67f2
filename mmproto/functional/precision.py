from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def true_fp32(device_type: str) -> Iterator[None]:
    """Matrix products inside are IEEE single precision, whatever autocast or TF32 says outside.

    ``|z|^2 - 2 z.p + |p|^2`` cancels where a patch is close to a prototype, which is where the
    'log' similarity looks: in bf16 or TF32 the nearest patch is no longer the one that is found.
    """
    with _ieee_products(), torch.autocast(device_type, enabled=False):
        yield


@contextmanager
def _ieee_products() -> Iterator[None]:
    switches: list[Any] = [
        torch.backends.cuda.matmul,
        getattr(torch.backends.mkldnn, 'matmul', None),
    ]
    backends = [backend for backend in switches if hasattr(backend, 'fp32_precision')]
    if not backends:  # torch before 2.9, which has one switch for all
        precision = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision('highest')
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(precision)
        return
    before = [backend.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.fp32_precision = 'ieee'
        yield
    finally:
        for backend, precision in zip(backends, before):
            backend.fp32_precision = precision
