"""Freed memory is taken again without new pages of the system's."""

import platform
import subprocess
import sys

import pytest

SIZE = 40 << 20  # bytes: more than glibc ever takes from its heap by itself
TIMES = 5
COUNT = f"""
import ctypes, resource, sys
if sys.argv[1] == "kept":
    from stages.network.memory import keep_freed_memory
    keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({TIMES}):
    block = libc.malloc({SIZE})
    ctypes.memset(block, 1, {SIZE})
    libc.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc has these settings")
def test_what_is_freed_is_kept():
    pages = SIZE // 4096
    given_back, kept = (
        int(subprocess.run([sys.executable, "-c", COUNT, how], capture_output=True, text=True, check=True).stdout)
        for how in ("given back", "kept")
    )
    assert given_back >= TIMES * pages
    assert kept < 1.5 * pages
