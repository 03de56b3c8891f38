"""A search over MCP that waits before each round until its plans are approved of, or others are given."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from agent.events import Noticed
from agent.home import Home
from agent.mcp.server import build_server
from agent.search.planned import PlannedRound
from agent.search.stored_approval import StoredApproval
from agent.store import Store
from tests.agent.mcp.calling import called, until
from tests.agent.search.test_approval import PLAN
from tests.agent.store.test_store import NEW

in_both_modes = pytest.mark.parametrize("mode", ["auto", "legacy"])


def waits(status: dict[str, Any]) -> bool:
    return bool(status.get("plans"))


async def refused(client: Client, said: str, **arguments: object) -> None:
    answer = await client.call_tool("start_search", arguments)
    assert answer.is_error
    assert said in answer.content[0].text


@in_both_modes
@pytest.mark.usefixtures("in_this_process")
async def test_a_search_waits_for_approval_and_carries_out_what_it_is_given(
    mode: str, tmp_path: Path, quick: str
) -> None:
    async with Client(build_server(Home(tmp_path), "auto"), mode=mode) as client:
        started = await called(
            client, "start_search", task=quick, candidates=2, depth=2, seed=1, approve=True
        )
        run = started["run"]
        first = await until(client, run, waits)
        assert (first["state"], first["round"], len(first["plans"])) == ("running", 1, 2)
        assert f"start_search(resume='{run}') carries these plans out" in first["next_step"]
        assert "kernels to build on: baseline" in first["message"]
        await refused(client, "knows no feature nonsense", resume=run, plans=[{"features": ["nonsense"]}])
        await refused(client, "there is no kernel '7/7'", resume=run, plans=[{"parent": "7/7"}])
        go_on = await called(client, "start_search", resume=run)
        assert not waits(go_on)
        await refused(client, "does not wait for approval", resume=run, plans=first["plans"])
        second = await until(client, run, lambda one: waits(one) and one["round"] == 2)
        assert "1/1" in second["message"]
        mine = {"features": ["block_size_tuning"], "parent": "baseline", "why": "mine"}
        await called(client, "start_search", resume=run, plans=[mine])
        ended = await until(client, run, lambda one: one["state"] != "running")
    assert ended["state"] == "completed", ended
    store = Store(Home(tmp_path))
    written = [one.plan.why for one, _ in store.candidates.attempts(run) if one.round == 2]
    assert written == ["mine"]
    said = [one.event.message for one in store.events_since(run) if isinstance(one.event, Noticed)]
    assert said == [
        "round 1: waits for approval of its plans",
        "round 1: its plans are approved of",
        "round 2: waits for approval of its plans",
        "round 2: its plans are approved of",
        "round 2: its plans were changed by hand",
    ]


async def test_plans_without_a_run_that_waits_for_them_begin_nothing(home: Home) -> None:
    async with Client(build_server(home, "auto")) as client:
        await refused(client, "name it by resume", task="vector_add", plans=[])
    assert Store(home).list_runs() == []


async def test_a_search_to_which_nobody_says_a_word_stops_and_can_be_asked_again(home: Home) -> None:
    store = Store(home)
    planned = PlannedRound(store.create(NEW), 1, (PLAN,), {"baseline": "a" * 64})
    assert await StoredApproval(store, limit_s=0.05)(planned) is None
    approvals = store.approvals(planned.run)
    assert approvals.waiting() is None
    asked = asyncio.create_task(StoredApproval(store)(planned))
    while (left := approvals.waiting()) is None:
        await asyncio.sleep(0.01)
    assert "vectorized_loads" in left
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert approvals.waiting() is None


async def test_the_first_answer_counts_and_is_found_after_a_kill(home: Home) -> None:
    store = Store(home)
    approvals = store.approvals(store.create(NEW))
    approvals.ask(1, "plans")
    assert approvals.answer(1, "[]")
    assert not approvals.answer(1, "[1]")
    approvals.ask(1, "plans")
    assert approvals.answer_to(1) == "[]"
    approvals.ask(1, "other plans")
    assert approvals.answer_to(1) is None
