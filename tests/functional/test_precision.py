import pytest
import torch

from mmproto.functional import true_fp32

ONE_SWITCH = not hasattr(torch.backends.cuda.matmul, 'fp32_precision')


def test_autocast_is_off_inside_only():
    a = torch.rand(4, 4)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        with true_fp32('cpu'):
            assert (a @ a).dtype is torch.float32
        assert (a @ a).dtype is torch.bfloat16


@pytest.mark.skipif(ONE_SWITCH, reason='torch before 2.9 has one switch for all backends')
@pytest.mark.parametrize('backend', [torch.backends, torch.backends.cuda.matmul])
def test_both_ways_to_ask_for_less_are_known(backend):
    before = backend.fp32_precision
    backend.fp32_precision = 'tf32'
    try:
        asked = torch.backends.cuda.matmul.fp32_precision
        with true_fp32('cpu'):
            assert torch.backends.cuda.matmul.fp32_precision == 'ieee'
        assert torch.backends.cuda.matmul.fp32_precision == asked
    finally:
        backend.fp32_precision = before


@pytest.mark.skipif(not ONE_SWITCH, reason='torch 2.9 has a switch for each backend')
def test_the_one_switch_of_older_versions_is_known():
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision('medium')
    try:
        with true_fp32('cpu'):
            assert torch.get_float32_matmul_precision() == 'highest'
        assert torch.get_float32_matmul_precision() == 'medium'
    finally:
        torch.set_float32_matmul_precision(before)
