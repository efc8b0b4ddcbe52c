"""Memory of a process with many short-lived threads.

glibc gives each thread an arena of its own (8 a processor) and keeps what was freed in each: the survey's and
the hosts' threads leave tens of MB behind. Two arenas serve them as well: they wait for the network.
"""

from __future__ import annotations

import ctypes
import gc

M_ARENA_MAX = -8  # malloc.h
ARENAS = 2


def share_arenas() -> None:
    """Call it before the first thread starts. Does nothing where the C library is not glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Give freed memory back to the system, between two stages: the next one's peak starts lower."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
