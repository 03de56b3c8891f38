"""Searches as jobs of a server, without any real search."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from agent.events import Event, RunFinished, RunStarted
from agent.mcp.jobs import MOST_AT_ONCE, SearchJobs
from agent.results import SearchResult
from sandbox.errors import MissingDependencyError, UsageError

Listen = Callable[[Event], None]


def started(run: str) -> RunStarted:
    return RunStarted(
        run=run,
        task="softmax",
        device="sim:h200",
        isolation="process",
        model="composer",
        candidates=1,
        depth=1,
    )


def result(run: str) -> SearchResult:
    return SearchResult(
        run=run,
        task="softmax",
        device="sim:h200",
        isolation="process",
        model="composer",
        verdict=None,
        best=None,
        baseline_us=None,
        stopped=None,
        candidates=[],
        rounds=0,
    )


def endless(run: str) -> Callable[[Listen], asyncio.Future[SearchResult]]:
    async def search(listen: Listen) -> SearchResult:
        listen(started(run))
        await asyncio.Event().wait()
        return result(run)

    return search  # type: ignore[return-value]


async def test_a_search_begins_once_its_run_has_a_name_and_goes_on_afterwards() -> None:
    jobs = SearchJobs()
    assert await jobs.begin(endless("a")) == "a"
    assert await jobs.wait("a", 0.01)
    await jobs.aclose()
    assert not await jobs.wait("a", 10)


async def test_what_keeps_a_search_from_starting_is_raised() -> None:
    async def search(listen: Listen) -> SearchResult:
        raise MissingDependencyError("no key")

    with pytest.raises(MissingDependencyError, match="no key"):
        await SearchJobs().begin(search)


async def test_a_run_that_had_ended_before_is_its_result() -> None:
    async def search(listen: Listen) -> SearchResult:
        return result("old")

    assert await SearchJobs().begin(search) == "old"


async def test_waiting_ends_when_something_happens() -> None:
    go_on = asyncio.Event()

    async def search(listen: Listen) -> SearchResult:
        listen(started("a"))
        await go_on.wait()
        listen(RunFinished(run="a", stopped="depth"))
        await asyncio.Event().wait()
        return result("a")

    jobs = SearchJobs()
    await jobs.begin(search)
    waiting = asyncio.create_task(jobs.wait("a", 30))
    await asyncio.sleep(0)
    go_on.set()
    assert await asyncio.wait_for(waiting, 5)
    await jobs.aclose()


async def test_one_search_is_stopped_without_the_others() -> None:
    jobs = SearchJobs()
    for run in ("a", "b"):
        await jobs.begin(endless(run))
    await jobs.stop("a")
    assert not await jobs.wait("a", 10)
    assert await jobs.wait("b", 0.01)
    await jobs.aclose()


async def test_too_many_searches_at_once_are_refused_with_advice() -> None:
    jobs = SearchJobs()
    for number in range(MOST_AT_ONCE):
        await jobs.begin(endless(str(number)))
    with pytest.raises(UsageError, match="cancel_search"):
        await jobs.begin(endless("one more"))
    await jobs.aclose()


async def test_a_client_that_goes_away_while_a_search_starts_takes_it_along() -> None:
    stopped = asyncio.Event()

    async def search(listen: Listen) -> SearchResult:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return result("a")

    beginning = asyncio.create_task(SearchJobs().begin(search))
    await asyncio.sleep(0.01)
    beginning.cancel()
    await asyncio.wait_for(stopped.wait(), 5)
