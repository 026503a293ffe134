"""Keeps the memory that one step frees for the next; glibc would return it to the system."""

import ctypes
import platform
from functools import cache

# Parameters of mallopt(3).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8
# Batches with at least so many pixels gain more than the single arena costs.
_LARGE = 2**15


def keep_memory_for(batch: int, height: int, width: int) -> None:
    """Call `keep_memory` if steps are large; `batch` images of `height` × `width` pixels.

    With one arena, threads that compile wait for each other: the default command, with batches of
    32 images of 8×8 pixels, takes a third longer (twelve candidates in 76 s instead of 57 s).
    """
    if batch * height * width >= _LARGE:
        keep_memory()


@cache
def keep_memory() -> None:
    """Keep this process's freed memory for reuse, as far as glibc accepts that.

    On the CPU XLA takes a step's working memory, some hundred megabytes, from the system anew for
    each step, page by page: 20,000 to 40,000 page faults, 40 to 80 ms of processor time of a step
    of 150 to 200 ms (six blocks, batch 128, 28×28 pixels). With one arena and without mapping,
    freed memory is used again; the process holds its peak until it ends.

    A program decides this, not a library, and before JAX starts its threads, which keep their
    arenas.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    wanted = ((_ARENA_MAX, 1), (_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 2**26))
    # All are set, even where one is refused.
    for name, value in wanted:
        mallopt(name, value)
