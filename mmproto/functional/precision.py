from contextlib import contextmanager

import torch


@contextmanager
def true_fp32(device_type: str):
    """Matrix products inside are IEEE single precision, whatever autocast or TF32 says outside.

    ``|z|^2 - 2 z.p + |p|^2`` cancels where a patch is close to a prototype, which is where the
    'log' similarity looks: in bf16 or TF32 the nearest patch is no longer the one that is found.
    """
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision('highest')
    try:
        with torch.autocast(device_type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
