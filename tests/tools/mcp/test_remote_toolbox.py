"""The toolbox of another machine, over a real socket: the same reports as the one it stands for."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from agent.home import Home
from agent.mcp.access.tokens import TokenFile
from agent.results import SearchRequest
from agent.search.starting import start_search
from sandbox.errors import MissingDependencyError, UsageError, WorkerError
from sandbox.verdict import Provenance, Verdict
from tests.agent.mcp.http_serving import Served, http_server
from tests.agent.quick_task import quick_task
from tools.local_toolbox import LocalToolbox
from tools.mcp.remote_toolbox import RemoteToolbox
from tools.reports import CaseReport, CheckReport, Mismatch, TestReport
from tools.sent_orders import REPORTS, dump
from tools.tasks import folder as task_folder
from tools.tasks.task import Task
from tools.toolbox import CheckOrder, CompileOrder, ProfileOrder, TestOrder

ADD = """\
//@ tune BLOCK = 128 in 64, 128
//@ launch add<<<ceil_div(n, BLOCK), BLOCK>>>(x, y, out, n)
extern "C" __global__ void add(const float* x, const float* y, float* out, int n) {
    int i = blockIdx.x * BLOCK + threadIdx.x;
    if (i < n) out[i] = x[i] + y[i];
}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def token(home: Path) -> str:
    return TokenFile(Home(home).tokens).add("laptop")


@pytest.fixture(scope="module")
def server(home: Path, token: str) -> Iterator[Served]:
    with http_server(home, "--device", "sim:h200") as served:
        yield served


@pytest.fixture(scope="module")
def adding(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """`vector_add`, timed at a size that a simulator runs in no time."""
    return task_folder.load(quick_task(tmp_path_factory.mktemp("tasks")))


def without_times(report: object) -> str:
    plain: dict[str, Any] = asdict(report)  # type: ignore[call-overload]
    for stage in plain.get("stages", ()):
        stage["seconds"] = 0
    for part in (plain, plain.get("compile") or {}):
        part.pop("cached", None)
    return json.dumps(plain, default=str)


async def test_reports_are_the_same_here_and_there(
    server: Served, token: str, adding: Task, tmp_path: Path
) -> None:
    task = adding
    async with (
        LocalToolbox("sim:h200", cache=tmp_path) as here,
        RemoteToolbox(server.url, token) as there,
    ):
        assert (there.device, there.isolation) == (here.device, here.isolation)
        for kernel, verdict in (
            (ADD, Verdict.PASS),
            (ADD.replace("x[i] +", "x[i] -"), Verdict.WRONG_RESULT),
            (ADD.replace("y[i];", "y[i]"), Verdict.COMPILE_ERROR),
            ("no kernel", Verdict.REJECTED),
        ):
            local = await here.do(CheckOrder(task, kernel, sweep=True, seed=7))
            remote = await there.do(CheckOrder(task, kernel, sweep=True, seed=7))
            assert (local.verdict, type(remote)) == (verdict, CheckReport), local.message
            assert without_times(local) == without_times(remote)
        tune = {"BLOCK": 64}
        for order in (
            CompileOrder(task, ADD, tune),
            ProfileOrder(task, ADD, tune),
            TestOrder(task, ADD, tune, seed=3),
        ):
            assert without_times(await here.do(order)) == without_times(await there.do(order))


async def test_a_search_gives_the_same_verdicts_through_both(
    server: Served, token: str, adding: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARPWRIGHT_TOOLS_TOKEN", token)
    found: list[list[tuple[Any, ...]]] = []
    for name, tools in (("here", None), ("there", server.url)):
        request = SearchRequest(
            task=str(adding.folder), device="sim:h200", candidates=2, depth=1, seed=5, tools=tools
        )
        result = await start_search(request, home=Home(tmp_path / name))
        assert result.verdict is Verdict.PASS
        found.append([(one.sha, one.verdict, one.latency_us, one.tune) for one in result.candidates])
    assert sorted(found[0], key=str) == sorted(found[1], key=str)


async def test_a_cancelled_call_stops_the_work_there(server: Served, token: str, adding: Task) -> None:
    task = task_folder.find("transpose")
    async with RemoteToolbox(server.url, token) as there:
        call = asyncio.create_task(there.do(CheckOrder(task, task.baseline)))
        await asyncio.sleep(0.5)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        report = await there.do(CheckOrder(adding, ADD))
        assert report.verdict is Verdict.PASS


async def test_what_keeps_a_remote_toolbox_from_working_is_said_with_what_to_do(
    server: Served, token: str
) -> None:
    for url, text, kind, said in (
        (server.url, None, UsageError, "WARPWRIGHT_TOOLS_TOKEN"),
        (server.url, "wrong", UsageError, "not accepted"),
        (server.url.replace("/mcp", "/other"), token, UsageError, "path is /mcp"),
        ("http://127.0.0.1:9/mcp", token, MissingDependencyError, "serve --http"),
        ("gpu-box", token, UsageError, "http://HOST:PORT/mcp"),
    ):
        with pytest.raises(kind, match=said):
            async with RemoteToolbox(url, text):
                pass


async def test_tools_that_go_away_are_a_failure_of_the_environment(tmp_path: Path) -> None:
    task = task_folder.find("vector_add")
    with http_server(tmp_path) as served:
        async with RemoteToolbox(served.url) as there:
            os.kill(served.process.pid, signal.SIGKILL)
            with pytest.raises(WorkerError, match="no tools answer"):
                await there.do(CheckOrder(task, ADD))


def test_numbers_that_json_lacks_survive_the_way() -> None:
    mismatch = Mismatch("out", (1, 2), "nan", 2.0, float("inf"))
    case = CaseReport({"n": 1}, 1, Verdict.WRONG_RESULT, "x", worst_ratio=float("nan"), first=(mismatch,))
    tested = TestReport(Verdict.WRONG_RESULT, "x", (case,))
    report = CheckReport(Verdict.WRONG_RESULT, "t", "d", Provenance.COUNTED, "m", test=tested)
    plain = json.loads(json.dumps(dump(report), allow_nan=False))
    assert repr(REPORTS["check"].validate_python(plain)) == repr(report)
