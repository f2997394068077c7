import subprocess
import sys

import pytest

COUNT = """
import ctypes, os, sys, threading
from chromacord.io.memory import share_freed_memory
libc = ctypes.CDLL(None)
if not hasattr(libc, "mallopt"):
    sys.exit(3)
if {shared}:
    share_freed_memory()

def take():
    libc.malloc.restype = ctypes.c_void_p
    held.append(libc.malloc(ctypes.c_size_t(1000)))
    here.wait()

held, here = [], threading.Barrier(5)
threads = [threading.Thread(target=take) for _ in range(4)]
[thread.start() for thread in threads]
here.wait()
[thread.join() for thread in threads]
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


@pytest.mark.parametrize("shared", [True, False])
def test_threads_share_one_store_of_freed_memory_once_told_to(*, shared: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COUNT.format(shared=shared)], capture_output=True, text=True, check=False
    )
    if done.returncode == 3:
        pytest.skip("the C library is not glibc")
    assert done.returncode == 0, done.stderr
    stores = done.stdout.count("<heap nr=")
    assert stores == 1 if shared else stores > 1
