"""start_search as a task, for a client that offers the tasks extension (SEP-2663)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from mcp import Client, MCPError
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.types import CallToolResult, Request, RequestParams, Result
from pydantic import Field

from agent.home import Home
from agent.mcp.job_service import JobService
from agent.mcp.server import build_server
from agent.mcp.tasks_extension import EXTENSION
from agent.results import SearchRequest
from agent.search.starting import start_search
from tests.agent.mcp.http_serving import ask, http_server, own_run
from tests.agent.search_fakes import FakeToolbox, ScriptedProposer, fenced, kernel


class TaskParams(RequestParams):
    task_id: str = Field(alias="taskId")


class GetTask(Request[TaskParams, Literal["tasks/get"]]):
    method: Literal["tasks/get"] = "tasks/get"
    name_param = "taskId"
    params: TaskParams


class Handle(Result):
    result_type: Literal["task"] = "task"
    task_id: str = Field(alias="taskId")
    status: str


class State(Result):
    status: str
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class OffersTasks(ClientExtension):
    identifier = EXTENSION

    def __init__(self) -> None:
        self.seen: list[str] = []

    def claims(self) -> Sequence[ResultClaim[Any]]:
        async def finish(handle: Handle, context: ClaimContext) -> CallToolResult:
            self.seen.append(handle.status)
            while True:
                asked = GetTask(params=TaskParams(taskId=handle.task_id))
                state = await context.session.send_request(asked, State)
                self.seen.append(state.status)
                if state.status != "working":
                    return CallToolResult.model_validate(state.result)
                await asyncio.sleep(0.02)

        return [ResultClaim(result_type="task", model=Handle, resolve=finish)]


@pytest.fixture
def searching(home: Home, request_of, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have searches done by stand-ins, in this process, once they have a name."""
    kept: list[asyncio.Task[Any]] = []

    async def search(self: JobService, request: SearchRequest, device: str) -> str:
        named: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        work = start_search(
            request_of(depth=1),
            home=home,
            toolbox=FakeToolbox(),
            proposer=ScriptedProposer(fenced(kernel("LATENCY 5.0"))),
            on_event=lambda event: None if named.done() else named.set_result(event.run),
        )
        kept.append(asyncio.create_task(work))
        return await named

    monkeypatch.setattr(JobService, "search", search)


@pytest.mark.usefixtures("searching")
async def test_a_client_that_offers_tasks_gets_one_and_in_the_end_the_last_status(home: Home) -> None:
    extension = OffersTasks()
    async with Client(build_server(home, "auto"), extensions=[extension]) as client:
        assert EXTENSION in (client.server_capabilities.extensions or {})
        answer = await client.call_tool("start_search", {"task": "vector_add"})
        assert answer.structured_content is not None
        assert answer.structured_content["state"] == "completed"
        assert answer.structured_content["best"]["latency_us"] == 5.0
        assert "search_result" in answer.structured_content["next_step"]
        failed = await client.call_tool("start_search", {"task": "no_such_task"})
        assert failed.is_error
        with pytest.raises(MCPError, match="no run named"):
            await client.session.send_request(GetTask(params=TaskParams(taskId="nothing")), State)
    assert extension.seen[-1] == "completed"


@pytest.mark.usefixtures("searching")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_any_other_client_gets_the_first_status_at_once(mode: str, home: Home, tmp_path: Path) -> None:
    async with Client(build_server(home, "auto"), mode=mode) as client:
        answer = await client.call_tool("start_search", {"task": "vector_add"})
        assert answer.structured_content is not None
        run = answer.structured_content["run"]
        while (
            status := await client.call_tool("search_status", {"run": run})
        ).structured_content is None or (status.structured_content["state"] == "running"):
            pass
        assert status.structured_content["state"] == "completed"


def test_over_http_a_task_is_shown_to_those_who_offer_tasks_and_name_it_the_same_twice(
    tmp_path: Path,
) -> None:
    run = own_run(tmp_path, "")
    offered, task = {EXTENSION: {}}, {"taskId": run}
    with http_server(tmp_path) as served:
        for method in ("tasks/get", "tasks/update", "tasks/cancel"):
            taken = ask(served.url, None, method, task, offered, **{"mcp-name": run}).json()["result"]
            assert taken["resultType"] == "complete"
            assert ("taskId" in taken) == (method == "tasks/get")
            for offers, name, code in (({}, run, -32021), (offered, "another", -32020)):
                refused = ask(served.url, None, method, task, offers, **{"mcp-name": name})
                assert refused.status_code == 400
                assert refused.json()["error"]["code"] == code
            unknown = ask(served.url, None, method, {"taskId": "nothing"}, offered)
            assert unknown.json()["error"]["code"] == -32602
