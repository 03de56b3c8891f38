from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from agent.home import Home
from agent.supervisor.presence import supervisor_of
from tests.agent.supervisors import end_supervisor, supervised_here


@pytest.fixture(autouse=True)
def no_supervisor_is_left(tmp_path: Path) -> Iterator[None]:
    yield
    for root in (tmp_path, tmp_path / "home"):
        end_supervisor(Home(root))
        assert supervisor_of(Home(root)) is None


@pytest.fixture
async def in_this_process(tmp_path: Path) -> AsyncIterator[None]:
    """The supervisor of `tmp_path` and every tool are here: the real ones, but no process has to start."""
    async with supervised_here(Home(tmp_path)):
        yield


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
