"""Supervisors of tests: one in this process, and the end of those in their own."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from agent.home import Home
from agent.mcp import services
from agent.supervisor.presence import Starter, supervisor_of
from agent.supervisor.supervising import supervise
from tests.sandbox.simulator import in_process
from tools.local_toolbox import LocalToolbox


@asynccontextmanager
async def supervised_here(home: Home) -> AsyncIterator[None]:
    """A home's supervisor, and every server's tools, are here: the real ones, but no process has to start."""

    def toolbox(device: str, **options: object) -> LocalToolbox:
        return in_process.toolbox(in_process.frozen_once())

    stop = asyncio.Event()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Starter, "ensure", lambda self: None)
        patched.setattr(services, "open_toolbox", toolbox)
        task = asyncio.create_task(supervise(home, stop, 600, toolbox))
        yield
        stop.set()
        await task


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
