"""Limits that a worker puts on itself before it reads any request; they can only be lowered afterwards."""

from __future__ import annotations

import ctypes
import os
import resource
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_OPEN_FILES = 128


def confine(*, memory_bytes: int, file_bytes: int, processes: int | None) -> None:
    """Apply the limits, give up gaining privileges, and ask the kernel to end us with our parent.

    Args:
        memory_bytes: Limit on the address space.
        file_bytes: Limit on each written file.
        processes: Limit on processes and threads of this user, or None to leave it.
    """
    _lower(resource.RLIMIT_AS, memory_bytes)
    _lower(resource.RLIMIT_FSIZE, file_bytes)
    _lower(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _lower(resource.RLIMIT_CORE, 0)
    if processes is not None:
        _lower(resource.RLIMIT_NPROC, processes)
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((_PR_SET_NO_NEW_PRIVS, 1), (_PR_SET_PDEATHSIG, int(signal.SIGKILL))):
        if libc.prctl(option, value, 0, 0, 0):
            raise OSError(ctypes.get_errno(), f"prctl({option}) failed")


def orphaned(parent: int) -> bool:
    """Say whether the parent ended before it could be watched; a pid namespace hides its number."""
    return os.getppid() not in (parent, 1) and os.getpid() > 2


def _lower(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (allowed, allowed))
