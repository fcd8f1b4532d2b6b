"""Freed memory stays with the process."""

import ctypes

# The parameters of glibc's mallopt, from its malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8


def keep_freed_memory() -> None:
    """Make the process keep freed memory for the next tensor, instead of giving it back to the system.

    By its defaults glibc maps fresh pages for many a tensor, and unmaps them when it is freed: 100,000 pages a training
    step of MobileNetV2's top on 160-pixel photographs, which the kernel has to clear. That took 40 % of a fine epoch
    (docs/speed.md). Call this before the threads that compute are started. Without glibc it does nothing.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):
        return
    mallopt(M_ARENA_MAX, 1)  # a thread's own arena is unmapped when it is empty
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, -1)  # never
