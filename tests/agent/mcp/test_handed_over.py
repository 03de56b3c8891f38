"""Work that outlasts its call: it goes on where it is, is done once, and is never lost with its server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.home import Home
from agent.mcp.handed_over import MOST_AT_ONCE, HandedOver
from agent.store import Store
from agent.store.jobs import Job, JobState, NewJob
from sandbox.errors import UsageError
from sandbox.verdict import Verdict
from tools import progress
from tools.mcp.answers import TestAnswer
from tools.mcp.waiting import begun
from tools.progress import Account

NEW = NewJob("test", "{}", "sim:fake")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@asynccontextmanager
async def opened(home: Home) -> AsyncGenerator[HandedOver]:
    handed = HandedOver(Store(home))
    handed.open()
    try:
        yield handed
    finally:
        await handed.aclose()


class Work:
    """Counts how often it is done; ends once `enough` is set."""

    def __init__(self) -> None:
        self.begun = self.cancelled = 0
        self.enough = asyncio.Event()

    async def __call__(self) -> TestAnswer:
        self.begun += 1
        progress.begin("compile")
        progress.begin("test")
        progress.count(14, 23)
        try:
            await self.enough.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return TestAnswer(verdict=Verdict.PASS)


async def until(home: Home, job: str, state: JobState) -> Job:
    async with asyncio.timeout(20):
        while (found := Store(home).jobs.get(job)).state is not state:
            await asyncio.sleep(0.02)
        return found


async def test_what_is_handed_over_goes_on_and_is_done_once(home: Home) -> None:
    work, account = Work(), Account()
    async with opened(home) as handed:
        job = await handed.take(NEW, begun(work(), account), account)
        async with asyncio.timeout(20):
            while not (running := Store(home).jobs.get(job)).error:
                await asyncio.sleep(0.02)
        assert running.state is JobState.RUNNING
        assert running.error == "compile, done\ntest 14 of 23"
        work.enough.set()
        ended = await until(home, job, JobState.COMPLETED)
    assert TestAnswer.model_validate_json(ended.answer or "").verdict is Verdict.PASS
    assert (work.begun, work.cancelled, ended.error) == (1, 0, "")


async def test_a_job_that_someone_cancels_stops_its_work(home: Home) -> None:
    work, account = Work(), Account()
    async with opened(home) as handed:
        job = await handed.take(NEW, begun(work(), account), account)
        Store(home).jobs.cancel(job)
        await until(home, job, JobState.CANCELLED)
        assert work.cancelled == 1
    assert Store(home).jobs.get(job).state is JobState.CANCELLED


async def test_a_server_that_ends_leaves_its_work_to_the_supervisor(home: Home) -> None:
    work, account = Work(), Account()
    async with opened(home) as handed:
        job = await handed.take(NEW, begun(work(), account), account)
    assert work.cancelled == 1
    assert Store(home).jobs.get(job).state is JobState.WAITING
    claimed = Store(home).jobs.claim()
    assert claimed is not None
    assert claimed.id == job


async def test_one_tenant_cannot_fill_the_server_for_the_others(home: Home) -> None:
    account = Account()
    theirs, ours = NewJob("test", "{}", "sim:fake", "a"), NewJob("test", "{}", "sim:fake", "b")
    refused = Work()
    async with opened(home) as handed:
        for _ in range(MOST_AT_ONCE):
            await handed.take(theirs, begun(Work()(), account), account)
        with pytest.raises(UsageError, match="wait until one ends"):
            await handed.take(theirs, begun(refused(), account), account)
        await handed.take(ours, begun(Work()(), account), account)
    assert refused.begun == refused.cancelled
