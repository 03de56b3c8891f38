"""Wherever a search is cancelled, a resume brings it to the end that it would have had."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent.events import Event
from agent.home import Home
from agent.results import RunState
from agent.search.interruption import Interruption, SearchInterruptedError
from agent.search.starting import resume_search, start_search
from agent.store import Store
from tests.agent.search_fakes import FakeToolbox, ScriptedProposer, fenced, kernel
from tools.toolbox import CheckOrder

EVENTS = 24


@pytest.mark.parametrize("after", range(1, EVENTS, 2))
async def test_a_search_cancelled_at_any_event_is_resumed_to_the_same_end(
    home: Home, toolbox: FakeToolbox, request_of, after: int
):
    proposer = ScriptedProposer(*(fenced(kernel(f"LATENCY {us}")) for us in (9, 8, 7, 6)))
    heard: list[str] = []

    def listen(event: Event) -> None:
        heard.append(event.run)
        if len(heard) == after:
            search.cancel()

    search = asyncio.create_task(
        start_search(request_of(candidates=2), home=home, toolbox=toolbox, proposer=proposer, on_event=listen)
    )
    with pytest.raises(asyncio.CancelledError):
        await search
    result = await resume_search(heard[0], home=home, toolbox=toolbox, proposer=proposer)
    assert sorted(record.latency_us or 0 for record in result.candidates) == [6, 7, 8, 9]
    assert result.best is not None
    assert result.best.latency_us == 6
    assert len(proposer.writes) <= 4 + 2, "at most the kernels of the cancelled step are asked for again"


class SlowToEnd(FakeToolbox):
    """Takes a moment to let go of a check that is cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.at_work, self.ended = asyncio.Event(), False

    async def do(self, order: Any) -> Any:
        if not (isinstance(order, CheckOrder) and "LATENCY 9" in order.kernel):
            return await super().do(order)
        self.at_work.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.1)
            self.ended = True


async def test_a_search_that_is_cancelled_twice_works_no_more_once_it_is_said_to_have_ended(
    home: Home, request_of
):
    toolbox, proposer = SlowToEnd(), ScriptedProposer(fenced(kernel("LATENCY 9")))
    search = asyncio.create_task(start_search(request_of(), home=home, toolbox=toolbox, proposer=proposer))
    await toolbox.at_work.wait()
    search.cancel()
    await asyncio.sleep(0.02)
    search.cancel()
    with pytest.raises(asyncio.CancelledError):
        await search
    assert toolbox.ended
    (run,) = Store(home).list_runs()
    assert run.state is RunState.CANCELLED


async def test_a_guarded_wait_ends_when_asked_and_none_begins_after():
    interruption, cancelled = Interruption(), asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    guarded = asyncio.create_task(interruption.guard(wait()))
    await asyncio.sleep(0)
    interruption.ask()
    with pytest.raises(SearchInterruptedError):
        await guarded
    assert cancelled.is_set()
    with pytest.raises(SearchInterruptedError):
        await interruption.guard(wait())


async def test_a_guarded_wait_gives_the_result_or_the_error_of_its_work():
    async def work(error: Exception | None) -> int:
        await asyncio.sleep(0)
        if error is not None:
            raise error
        return 42

    assert await Interruption().guard(work(None)) == 42
    with pytest.raises(KeyError):
        await Interruption().guard(work(KeyError("x")))
