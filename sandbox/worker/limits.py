"""Limits that a worker puts on itself before it reads any request; they can only be lowered afterwards."""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal
import time
from collections.abc import Mapping

from sandbox.worker import landlocked, seccomp

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522
_OPEN_FILES = 128
_OPEN_FILES_GPU = 1024
_NICE = 5
_CPU_SECONDS = 1 << 17
"""More than a worker's requests together may take; ends one that nobody is left to kill."""


def confine(
    *,
    memory_bytes: int,
    file_bytes: int,
    processes: int | None,
    visible: Mapping[str, list[str]] | None,
    filter_calls: Mapping[str, bool] | None,
    gpu: bool = False,
) -> None:
    """Apply the limits, give up all privileges, and ask the kernel to end us with our parent.

    Args:
        memory_bytes: Limit on the address space.
        file_bytes: Limit on each written file.
        processes: Limit on processes and threads of this user, or None to leave it. The kernel does not
            count those of root.
        visible: Arguments of `landlocked.restrict`, or None to do without Landlock.
        filter_calls: Arguments of `seccomp.install`, or None to do without a filter.
        gpu: A GPU's driver reserves far more addresses than it uses, and locks pages: the limit is then put on
            the private memory that can be written (RLIMIT_DATA), and locked pages are not limited by themselves.

    Raises:
        OSError: The kernel lacks what was asked for: the worker must not run then.
    """
    # Whoever waits for what is computed here goes first; but the host side of a GPU is part of what is timed.
    if not gpu:
        os.nice(_NICE)
    _lower(resource.RLIMIT_DATA if gpu else resource.RLIMIT_AS, memory_bytes)
    _lower(resource.RLIMIT_FSIZE, file_bytes)
    _lower(resource.RLIMIT_NOFILE, _OPEN_FILES_GPU if gpu else _OPEN_FILES)
    _lower(resource.RLIMIT_CPU, _CPU_SECONDS)
    for nothing in (resource.RLIMIT_CORE, resource.RLIMIT_MSGQUEUE):
        _lower(nothing, 0)
    if not gpu:
        _lower(resource.RLIMIT_MEMLOCK, 0)
    if processes is not None:
        _lower(resource.RLIMIT_NPROC, processes)
    libc = ctypes.CDLL(None, use_errno=True)
    _succeed("prctl", libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    if visible is not None:
        landlocked.restrict(**visible)
    _succeed("capset", libc.capset((ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()))
    # After the capabilities, whose loss takes such settings back. No other worker may read our memory.
    _succeed("prctl", libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))
    _succeed("prctl", libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0))
    if filter_calls is not None:
        seccomp.install(**filter_calls)


def allow(cpu_s: float) -> None:
    """From now on this process may take so much processor time; the kernel ends it by SIGXCPU after that."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (min(math.ceil(time.process_time() + cpu_s), hard), hard))


def orphaned(parent: int) -> bool:
    """Say whether the parent ended before it could be watched; a pid namespace hides its number."""
    return os.getppid() not in (parent, 1) and os.getpid() > 2


def _lower(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (allowed, allowed))


def _succeed(call: str, status: int) -> None:
    if status:
        raise OSError(ctypes.get_errno(), f"{call} failed")
