"""Ending the supervisors that tests started."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from agent.home import Home
from agent.supervisor.presence import supervisor_of


def end_supervisor(home: Home, how: signal.Signals = signal.SIGTERM) -> None:
    """End a home's supervisor, if it has one, and wait until it is gone."""
    pid = supervisor_of(home)
    if pid is None:
        return
    assert pid != os.getpid()
    os.kill(pid, how)
    deadline = time.monotonic() + 20
    while supervisor_of(home) is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
