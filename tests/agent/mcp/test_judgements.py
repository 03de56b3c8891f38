"""Judgements for other machines' toolboxes: jobs of the one table, seen by their caller, stopped when nobody asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from agent.home import Home
from agent.mcp import judgements
from agent.mcp.judgements import Judgements
from agent.store import Store
from agent.store.jobs import Job, JobState
from sandbox.errors import MissingDependencyError, UsageError
from tests.agent.search_fakes import FakeToolbox, kernel
from tools.mcp.remote_calls import JudgeParams
from tools.order_problem import OrderProblem
from tools.sent_orders import sent
from tools.tasks import folder as task_folder
from tools.tasks.task import Task
from tools.toolbox import CheckOrder, Order

R = TypeVar("R")


class SlowToolbox(FakeToolbox):
    """Never ends; counts what began and what was stopped."""

    began = 0
    stopped = 0

    async def do(self, order: Order[Task, R]) -> R:
        self.began += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped += 1
        raise AssertionError


class LackingToolbox(FakeToolbox):
    async def do(self, order: Order[Task, R]) -> R:
        raise MissingDependencyError("no GPU")


@asynccontextmanager
async def opened(home: Home, toolbox: FakeToolbox) -> AsyncGenerator[Judgements]:
    judging = Judgements(Store(home), toolbox)
    judging.open()
    try:
        yield judging
    finally:
        await judging.aclose()
    assert not rows(home), "a server that ends leaves no judgement behind"


def rows(home: Home) -> list[str]:
    with Store(home).jobs._database.read() as connection:  # pyright: ignore[reportPrivateUsage]
        return [row["state"] for row in connection.exec_driver_sql("SELECT state FROM jobs").mappings()]


@pytest.fixture
def params(task_folder: Path) -> JudgeParams:
    return asked(task_folder, "LATENCY 5.0")


def asked(folder: Path, mark: str) -> JudgeParams:
    return sent(CheckOrder(task_folder.load(folder), kernel(mark)), JudgeParams)


async def until_stopped(toolbox: SlowToolbox) -> None:
    async with asyncio.timeout(20):
        while toolbox.stopped < toolbox.began or not toolbox.began:
            await asyncio.sleep(0.01)


async def ended(judging: Judgements, job: str) -> Job:
    async with asyncio.timeout(20):
        while not (now := await judging.wait(job, 10)).state.ended:
            pass
    return now


async def test_an_answer_can_be_asked_for_more_than_once(home: Home, params: JudgeParams) -> None:
    async with opened(home, FakeToolbox()) as judging:
        job = await judging.start(params)
        first = await ended(judging, job)
        assert first.state is JobState.COMPLETED
        assert '"latency_us": 5.0' in (first.answer or "")
        assert await ended(judging, job) == first


async def test_a_failure_says_whose_fault_it_is(home: Home, params: JudgeParams, task_folder: Path) -> None:
    changed = params.model_copy(update={"sha": "0" * 64})
    async with opened(home, FakeToolbox()) as judging:
        usage = await ended(judging, await judging.start(changed))
        worker = await ended(judging, await judging.start(asked(task_folder, "CRASHES")))
    async with opened(home, LackingToolbox()) as judging:
        missing = await ended(judging, await judging.start(params))
    assert [one.problem for one in (usage, worker, missing)] == [
        OrderProblem.USAGE,
        OrderProblem.WORKER,
        OrderProblem.MISSING,
    ]
    assert {one.state for one in (usage, worker, missing)} == {JobState.FAILED}
    assert "changed while it was sent" in usage.error


async def test_whoever_withdraws_a_judgement_stops_its_work(home: Home, params: JudgeParams) -> None:
    toolbox = SlowToolbox()
    async with opened(home, toolbox) as judging:
        job = await judging.start(params)
        assert (await judging.wait(job, 0.2)).state is JobState.RUNNING
        await judging.withdraw(job)
        assert toolbox.stopped == 1
        with pytest.raises(UsageError, match="no judgement"):
            await judging.wait(job, 0)


async def test_a_judgement_is_stopped_through_the_table_as_any_job_is(
    home: Home, params: JudgeParams
) -> None:
    toolbox = SlowToolbox()
    async with opened(home, toolbox) as judging:
        job = await judging.start(params)
        assert (await judging.wait(job, 0.2)).state is JobState.RUNNING
        Store(home).jobs.cancel(job)
        assert (await ended(judging, job)).state is JobState.CANCELLED
    assert toolbox.stopped == 1


async def test_a_judgement_that_nobody_asks_for_is_stopped_and_forgotten(
    home: Home, params: JudgeParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    toolbox = SlowToolbox()
    async with opened(home, toolbox) as judging:
        job = await judging.start(params)
        await judging.wait(job, 0.2)
        monkeypatch.setattr(judgements, "ABANDONED_S", 0.3)
        await until_stopped(toolbox)
        async with asyncio.timeout(20):
            while rows(home):
                await asyncio.sleep(0.01)
        with pytest.raises(UsageError, match="no judgement"):
            await judging.wait(job, 0)


async def test_a_caller_sees_its_own_judgements_and_has_so_many_at_a_time(
    home: Home, params: JudgeParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judgements, "MOST_AT_ONCE", 2)
    async with opened(home, SlowToolbox()) as judging:
        monkeypatch.setattr(judgements, "tenant", lambda: "ann")
        first, _ = await judging.start(params), await judging.start(params)
        with pytest.raises(UsageError, match="2 jobs like this are at work"):
            await judging.start(params)
        monkeypatch.setattr(judgements, "tenant", lambda: "bob")
        await judging.start(params)
        for act in (judging.wait(first, 0), judging.withdraw(first)):
            with pytest.raises(UsageError, match="no job"):
                await act


async def test_answers_that_were_read_leave_room_for_more(
    home: Home, params: JudgeParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judgements, "MOST_AT_ONCE", 1)
    async with opened(home, FakeToolbox()) as judging:
        for _ in range(3):
            assert (await ended(judging, await judging.start(params))).state is JobState.COMPLETED
