"""The supervisor of a home whose kernels cost nothing: `python -m benchmarks.scripted_supervisor HOME`.

Servers of that home find it there and start none of their own. It is told to end by SIGTERM.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from agent.home import Home
from agent.supervisor.presence import presence, supervisor_of
from agent.supervisor.supervising import supervise
from benchmarks.long_search import StandIn

_ROOT = Path(__file__).resolve().parents[1]
_START_S, _IDLE_S = 60.0, 3600.0
_NICE = 5
"""What a supervisor gives way by."""


@contextmanager
def scripted_supervisor(home: Home) -> Generator[None, None, None]:
    """Start it in a process of its own, and end it."""
    command = [sys.executable, "-m", __name__, str(home.root)]
    log = home.root / "supervisor.log"
    with log.open("wb") as told:
        process = subprocess.Popen(command, cwd=_ROOT, stdout=told, stderr=told)
    deadline = time.monotonic() + _START_S
    while supervisor_of(home) is None:
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the supervisor did not start: {log.read_text()[-500:]}")
        time.sleep(0.05)
    try:
        yield
    finally:
        process.terminate()
        process.wait(120)


async def _supervise(home: Home) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await supervise(home, stop, _IDLE_S, make=lambda device: StandIn())


if __name__ == "__main__":
    with presence(Home(Path(sys.argv[1]))) as mine:
        if mine:
            os.nice(_NICE)
            asyncio.run(_supervise(Home(Path(sys.argv[1]))))
