"""The server through an in-memory client, in both protocol modes, over the real tools."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from agent.home import Home
from agent.mcp.server import build_server
from agent.results import RunState, SearchRequest
from agent.store import NewRun, Store
from tests.agent.supervisors import end_supervisor
from tools.mcp import waiting

GOLDEN = Path(__file__).parent / "golden"
SEARCH_TOOLS = [
    *("cancel_job", "cancel_search", "job_status", "list_features", "list_searches", "search_result"),
    *("search_status", "start_search"),
]
KERNEL_TOOLS = [
    *("benchmark_kernel", "compare_kernels", "compile_kernel", "create_task", "device_info"),
    *("draft_task", "get_task", "list_tasks", "profile_kernel", "test_kernel", "update_task"),
]

in_both_modes = pytest.mark.parametrize("mode", ["auto", "legacy"])


def connect(home: Path, mode: str = "auto") -> Client:
    return Client(build_server(Home(home), "auto"), mode=mode)


async def call(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    assert answer.structured_content is not None
    return answer.structured_content


async def complaint(client: Client, tool: str, **arguments: object) -> str:
    answer = await client.call_tool(tool, arguments)
    assert answer.is_error, answer.structured_content
    return str(getattr(answer.content[0], "text", ""))


async def finished(client: Client, run: str) -> dict[str, Any]:
    while True:
        status = await call(client, "search_status", run=run, wait_s=45)
        if status["state"] != "running":
            return status


@in_both_modes
async def test_both_kinds_of_tools_are_listed_with_titles_and_schemas(mode: str, tmp_path: Path) -> None:
    async with connect(tmp_path, mode) as client:
        tools = (await client.list_tools()).tools
        assert sorted(tool.name for tool in tools) == sorted(SEARCH_TOOLS + KERNEL_TOOLS)
        for tool in tools:
            assert tool.title
            assert tool.description
            assert tool.annotations is not None
            assert tool.output_schema is not None
            assert "ctx" not in tool.input_schema["properties"]


@pytest.mark.parametrize("name", SEARCH_TOOLS)
async def test_a_search_tools_schema_is_its_golden_file(name: str, tmp_path: Path) -> None:
    async with connect(tmp_path) as client:
        (tool,) = [tool for tool in (await client.list_tools()).tools if tool.name == name]
    text = json.dumps(tool.model_dump(mode="json", exclude_none=True, exclude={"meta"}), indent=2) + "\n"
    golden = GOLDEN / f"{name}.json"
    if os.environ.get("WARPWRIGHT_UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


@in_both_modes
@pytest.mark.usefixtures("in_this_process")
async def test_a_search_is_started_followed_and_read(mode: str, tmp_path: Path, quick: str) -> None:
    async with connect(tmp_path, mode) as client:
        status = await call(client, "start_search", task=quick, candidates=1, depth=1, seed=7)
        assert status["state"] == "running"
        assert status["run"] in status["next_step"]
        seen: list[float] = []

        async def progress(done: float, total: float | None, message: str | None) -> None:
            seen.append(done)

        while status["state"] == "running":
            answer = await client.call_tool(
                "search_status", {"run": status["run"], "wait_s": 45}, progress_callback=progress
            )
            assert answer.structured_content is not None
            status = answer.structured_content
        assert status["state"] == "completed"
        assert seen
        outcome = await call(client, "search_result", run=status["run"])
        assert outcome["verdict"] == "pass"
        assert "__global__" in outcome["best"]["kernel"]
        assert outcome["best"]["provenance"] == "estimated"
        assert len(outcome["candidates"]) == outcome["candidates_total"]
        judged = await call(client, "test_kernel", task=quick, kernel=outcome["best"]["kernel"])
        assert judged["verdict"] == "pass"
        listed = await call(client, "list_searches")
        assert [line["run"] for line in listed["searches"]] == [status["run"]]


@pytest.mark.usefixtures("in_this_process")
async def test_a_cancelled_search_stops_and_can_be_gone_on_with(tmp_path: Path, quick: str) -> None:
    async with connect(tmp_path) as client:
        run = (await call(client, "start_search", task=quick, candidates=2, depth=3))["run"]
        cancelled = await call(client, "cancel_search", run=run)
        assert cancelled["state"] == "cancelled"
        assert f"start_search(resume='{run}')" in cancelled["next_step"]
        again = await call(client, "cancel_search", run=run)
        assert again["state"] == "cancelled"
        resumed = await call(client, "start_search", resume=run)
        assert (resumed["run"], resumed["state"]) == (run, "running")
        assert (await finished(client, run))["state"] == "completed"


@in_both_modes
async def test_mistakes_are_answered_with_what_to_do(mode: str, tmp_path: Path) -> None:
    async with connect(tmp_path, mode) as client:
        assert "give either task" in await complaint(client, "start_search")
        assert "give either task" in await complaint(client, "start_search", task="softmax", resume="x")
        assert "no_such_task" in await complaint(client, "start_search", task="no_such_task")
        for tool in ("search_status", "search_result", "cancel_search"):
            assert "no run named 'nothing'" in await complaint(client, tool, run="nothing")
        assert "no run named" in await complaint(client, "search_status", run="nothing", wait_s=3600)
        assert "wait_s" in await complaint(client, "search_status", run="nothing", wait_s="long")
        text = await complaint(client, "start_search", task="vector_add", rounds=1, max_candidates=1)
        assert "start_search has no argument 'rounds'" in text
        assert (await call(client, "list_searches", limit=10**6))["searches"] == []
        assert "depth" in await complaint(client, "start_search", task="softmax", depth=1000)


@in_both_modes
async def test_a_client_cannot_choose_where_the_key_is_sent(mode: str, tmp_path: Path) -> None:
    async with connect(tmp_path, mode) as client:
        (tool,) = [tool for tool in (await client.list_tools()).tools if tool.name == "start_search"]
        assert "base_url" not in tool.input_schema["properties"]


@in_both_modes
async def test_a_run_that_an_earlier_server_left_is_interrupted_and_says_how_to_go_on(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect(tmp_path, mode) as client:
        from agent.store import liveness, runs

        gone = liveness.Owner(pid=2**22 + 1, started="1")
        monkeypatch.setattr(runs, "this_process", lambda: gone)
        run = Store(Home(tmp_path)).create(
            NewRun(
                request=SearchRequest(task="softmax"),
                task="softmax",
                task_folder=tmp_path,
                task_sha="0" * 64,
                device="sim:h200",
                isolation="process",
                model="composer",
                seed=1,
            )
        )
        status = await call(client, "search_status", run=run, wait_s=45)
        assert status["state"] == RunState.INTERRUPTED
        assert f"start_search(resume='{run}')" in status["next_step"]
        assert "best" not in await call(client, "search_result", run=run)


async def test_a_search_outlives_its_server_and_two_clients_see_the_same_one(tmp_path: Path) -> None:
    async with connect(tmp_path) as client:
        run = (await call(client, "start_search", task="softmax", candidates=4, depth=8))["run"]
    async with connect(tmp_path) as one, connect(tmp_path, "legacy") as other:
        assert (await call(one, "search_status", run=run, wait_s=0))["state"] == "running"
        listed = [await call(client, "list_searches") for client in (one, other)]
        assert listed[0] == listed[1]
        cancelled = await call(other, "cancel_search", run=run)
        assert cancelled["state"] == "cancelled"
        assert (await call(one, "search_status", run=run))["state"] == "cancelled"


async def test_a_killed_supervisor_leaves_an_interrupted_search_that_is_gone_on_with(
    tmp_path: Path, quick: str
) -> None:
    async with connect(tmp_path) as client:
        run = (await call(client, "start_search", task=quick, candidates=1, depth=1))["run"]
        end_supervisor(Home(tmp_path), signal.SIGKILL)
        status = await call(client, "search_status", run=run, wait_s=45)
        assert status["state"] == "interrupted"
        assert f"start_search(resume='{run}')" in status["next_step"]
        assert (await call(client, "start_search", resume=run))["state"] == "running"
        assert (await finished(client, run))["state"] == "completed"


@in_both_modes
@pytest.mark.usefixtures("in_this_process")
async def test_what_takes_too_long_for_a_call_is_answered_by_its_job(
    mode: str, tmp_path: Path, quick: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LONGEST_CALL_S", 0.05)
    async with connect(tmp_path, mode) as client:
        kernel = (await call(client, "get_task", task=quick))["baseline"]
        asked = await call(client, "benchmark_kernel", task=quick, kernel=kernel)
        assert "verdict" not in asked
        status = await call(client, "job_status", job=asked["job"], wait_s=45)
        assert (status["state"], status["kind"]) == ("completed", "benchmark")
        assert status["answer"]["verdict"] == "pass"
        assert status["answer"]["speedup"] == pytest.approx(1)
        assert "no job 'job-nothing'" in await complaint(client, "job_status", job="job-nothing")
        slow = (await call(client, "get_task", task="softmax"))["baseline"]
        unwanted = await call(client, "compare_kernels", task="softmax", kernels={"a": slow})
        assert (await call(client, "cancel_job", job=unwanted["job"]))["state"] == "cancelled"
