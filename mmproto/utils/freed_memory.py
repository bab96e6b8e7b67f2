import ctypes
import sys

# From the C library's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> None:
    """Keep the memory of freed tensors in the process, to be used again.

    By default glibc gives every large block back to the system, and each activation of the next
    step is filled with zeros anew, page by page: half the time of a training step on a CPU. Does
    nothing with another C library.
    """
    if not sys.platform.startswith('linux'):
        return
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)  # glibc before 2.35 refuses a large M_MMAP_THRESHOLD
        mallopt(M_TRIM_THRESHOLD, LARGEST_INT)
