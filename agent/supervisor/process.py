"""The supervisor as a process: `warpwright supervise HOME [IDLE_SECONDS]`, which servers start and nobody types."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

from agent.home import Home
from agent.logs import AS_JSON, log_lines
from agent.supervisor.presence import presence
from agent.supervisor.supervising import IDLE_S, supervise
from agent.telemetry import exporting

_NICE = 5
_AUTOGROUP = Path("/proc/self/autogroup")


def _give_way() -> None:
    """Let the servers whose clients wait go first, where there are too few cores for all.

    Linux shares out the processors by session where autogroups are on (sched(7)); niceness then counts within
    the session only, and the session has one of its own.
    """
    os.nice(_NICE)
    with suppress(OSError):  # not Linux, or a kernel without autogroups
        _AUTOGROUP.write_text(f"{_NICE}\n")


async def _supervise(home: Home, idle_s: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await supervise(home, stop, idle_s)


def be_supervisor(home: Home, idle_s: float = IDLE_S) -> None:
    """Do the jobs of a home until there are none for so long; end at once where another process does them."""
    log_lines(as_json=os.environ.get(AS_JSON) == "1")
    with presence(home) as mine:
        if mine:
            _give_way()
            os.chdir(home.root)  # or it would hold the folder that its first client began in
            with exporting():
                asyncio.run(_supervise(home, idle_s))
