from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from agent.home import Home
from agent.mcp import services
from agent.supervisor.presence import Starter, supervisor_of
from agent.supervisor.supervising import supervise
from tests.agent.supervisors import end_supervisor
from tests.sandbox.simulator import in_process
from tools.local_toolbox import LocalToolbox


@pytest.fixture(autouse=True)
def no_supervisor_is_left(tmp_path: Path) -> Iterator[None]:
    yield
    for root in (tmp_path, tmp_path / "home"):
        end_supervisor(Home(root))
        assert supervisor_of(Home(root)) is None


@pytest.fixture
async def in_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The supervisor of `tmp_path` and every tool are here: the real ones, but no process has to start."""

    home = Home(tmp_path)

    def toolbox(device: str, **options: object) -> LocalToolbox:
        return in_process.toolbox(in_process.frozen_once())

    monkeypatch.setattr(Starter, "ensure", lambda self: None)
    monkeypatch.setattr(services, "LocalToolbox", toolbox)
    stop = asyncio.Event()
    task = asyncio.create_task(supervise(home, stop, 600, toolbox))
    yield
    stop.set()
    await task


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what whole jobs cost a model, whatever pytest captures and in whichever process a test ran."""
    jobs = [
        value
        for report in terminalreporter.stats.get("passed", ())
        for name, value in (getattr(report, "user_properties", ()) if report.when == "call" else ())
        if name == "job over MCP"
    ]
    if jobs:
        terminalreporter.section("whole jobs over MCP")
        for job, calls, sent, read, before, seconds in jobs:
            terminalreporter.line(
                f"{job}: {calls} calls, {sent} bytes sent, {read} read (before: {before}), {seconds:.1f} s"
            )
