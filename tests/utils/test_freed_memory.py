import platform
import subprocess
import sys

import pytest

COUNT = """
import resource
import torch
from mmproto.utils.freed_memory import keep_freed_memory
{call}
def faults():
    torch.zeros(50_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
# Small allocations take pieces of the first freed blocks, how many depends on the machine.
counts = [faults() for _ in range(20)]
print(min(after - before for before, after in zip(counts, counts[1:])))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='another C library')
def test_freed_memory_is_used_again():
    def new_pages(call):
        command = [sys.executable, '-c', COUNT.format(call=call)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert new_pages('keep_freed_memory()') < 0.1 * new_pages('')
