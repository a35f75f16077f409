"""How a serving process deals with its memory: set once, when everything that stays has been made.

The garbage collector does not look again at what is there for good, and collects more rarely than by default, since a
call's objects die by reference counting. The allocator keeps one arena instead of one for each thread: what the log
writer and the ingester free is otherwise kept for them alone, which makes short runs grow several times as fast.
"""

import ctypes
import gc

_M_ARENA_MAX = -8
"""``malloc.h`` of glibc; other libraries have no ``mallopt``, or not this one."""


def keep_one_arena() -> None:
    """Before the first thread is begun."""
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
    except (AttributeError, OSError):
        pass


def settle() -> None:
    """When everything that stays is there."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
