"""Waits until the machine has less to do, before what it was too busy for is tried once more."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

PATIENCE_S = 20.0
_POLL_S = 0.25
_SOME_S = 1.0
_LOAD = Path("/proc/loadavg")


async def quieter(patience_s: float = PATIENCE_S) -> None:
    """Wait a second, and then until no more threads want to run than there are processors, or patience ends."""
    started = time.monotonic()
    await asyncio.sleep(min(_SOME_S, patience_s))
    while runnable() > processors() and time.monotonic() - started < patience_s:
        await asyncio.sleep(_POLL_S)


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def runnable() -> int:
    """How many threads of the machine want to run now, this one left out; 0 where the kernel does not tell.

    From the fourth field of /proc/loadavg (proc_loadavg(5)).
    """
    try:
        return int(_LOAD.read_text().split()[3].split("/")[0]) - 1
    except (OSError, ValueError, IndexError):
        return 0
