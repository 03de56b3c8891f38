"""The supervisor's work on jobs, with a toolbox by stand-ins; and who is allowed to be it."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from agent.home import Home
from agent.mcp.job_service import JobService
from agent.mcp.search_service import SearchService
from agent.results import RunState, SearchRequest
from agent.store import Store, jobs
from agent.store.jobs import Job, JobState, NewJob
from agent.store.liveness import Owner
from agent.supervisor import keys, work
from agent.supervisor.presence import Starter, presence, supervisor_of
from agent.supervisor.supervising import supervise
from agent.supervisor.work import DeviceToolboxes, OrderJob, ResumeJob
from sandbox.errors import UsageError
from tests.agent.search_fakes import FakeToolbox, kernel, write_task
from tests.agent.supervisors import end_supervisor
from tools.mcp.benchmarks import BenchmarkAnswer
from tools.mcp.named_orders import NamedOrder, called
from tools.tasks.catalogue import TaskCatalogue
from tools.tasks.task import Task
from tools.toolbox import CheckOrder, Order, TestOrder, Toolbox

R = TypeVar("R")


class SlowToolbox(FakeToolbox):
    """Never ends a test; `waiting` is set while it tries."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = asyncio.Event()
        self.stopped = asyncio.Event()

    async def do(self, order: Order[Task, R]) -> R:
        self.waiting.set()
        try:
            await asyncio.Event().wait()
            raise AssertionError
        finally:
            self.stopped.set()


class BrokenToolbox(FakeToolbox):
    async def do(self, order: Order[Task, R]) -> R:
        if isinstance(order, CheckOrder):
            return await super().do(order)
        raise ZeroDivisionError("a mistake")


@pytest.fixture
def store(home: Home) -> Store:
    return Store(home)


@pytest.fixture
def service(home: Home, store: Store, monkeypatch: pytest.MonkeyPatch) -> JobService:
    """What a server uses; here the supervisor runs in this process, so that none is started."""
    monkeypatch.setattr(Starter, "ensure", lambda self: None)
    return JobService(home, store, lambda: store)


@asynccontextmanager
async def supervised(home: Home, toolbox: FakeToolbox, idle_s: float = 60) -> AsyncGenerator[asyncio.Event]:
    stop = asyncio.Event()
    task = asyncio.create_task(supervise(home, stop, idle_s, lambda device: toolbox))
    try:
        yield stop
    finally:
        stop.set()
        await task


def ended(job: Job) -> bool:
    return job.state.ended


def order(task_folder: Path, text: str) -> CheckOrder[str]:
    return CheckOrder(str(task_folder), text)


async def left(home: Home, order: NamedOrder, catalogue: TaskCatalogue) -> str:
    """Leave an order to the supervisor, as a server does that ends before it, and return the job's id."""
    asked = OrderJob(order=order, own=catalogue.own, paths=catalogue.paths).model_dump_json()
    new, table = NewJob(called(order), asked, "sim:fake"), Store(home).jobs
    job = table.adopt(new, most=8).id
    table.end(job, JobState.CANCELLED)
    table.leave(job)
    return job


async def test_an_order_is_carried_out_and_its_answer_read_back(
    home: Home, service: JobService, task_folder: Path
) -> None:
    catalogue = TaskCatalogue(home.tasks)
    async with supervised(home, FakeToolbox()):
        good = await left(home, order(task_folder, kernel("LATENCY 5.0")), catalogue)
        bad = await left(home, order(task_folder, kernel("WRONG")), catalogue)
        lost = await left(home, order(Path("no_such_task"), ""), catalogue)
        found = [await service.until(job, ended, 20) for job in (good, bad, lost)]
    assert [one.state for one in found] == ["completed", "completed", "failed"]
    assert {one.kind for one in found} == {"benchmark"}
    answers = [BenchmarkAnswer.model_validate_json(one.answer or "") for one in found[:2]]
    assert [(one.verdict, one.latency_us) for one in answers] == [("pass", 5.0), ("wrong_result", None)]
    assert "no task or folder is called `no_such_task`" in found[2].error


async def test_an_order_of_a_server_on_a_cluster_is_carried_out_there_for_its_tenant(
    home: Home, task_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[dict[str, object]] = []

    def opening(device: str, remote: str | None, home: Home, **where: object) -> Toolbox:
        opened.append({"device": device, **where})
        return FakeToolbox()

    monkeypatch.setattr(work, "open_toolbox", opening)
    asked = OrderJob(order=order(task_folder, kernel()), own=home.tasks, paths=True, workers="ray://there:1")
    async with DeviceToolboxes(home) as bench:
        for tenant in ("ann", "ann", "bob"):
            await bench.carry_out(Job("check", asked.model_dump_json(), "sim:fake", tenant), lambda _: None)
    there = {"device": "sim:fake", "workers": "ray://there:1"}
    assert opened == [{**there, "tenant": "ann"}, {**there, "tenant": "bob"}]


async def test_a_path_is_no_name_for_a_job_of_someone_who_may_not_use_paths(
    home: Home, service: JobService, task_folder: Path
) -> None:
    catalogue = TaskCatalogue(home.tasks, paths=False)
    async with supervised(home, FakeToolbox()):
        job = await left(home, order(task_folder, kernel()), catalogue)
        assert "no task is called" in (await service.until(job, ended, 20)).error


async def test_a_job_is_cancelled_while_it_waits_and_while_it_works(
    home: Home, service: JobService, task_folder: Path
) -> None:
    asked = TestOrder(str(task_folder), kernel())
    waits = await left(home, asked, TaskCatalogue())
    await service.cancel(waits)
    assert (await service.get(waits)).state is JobState.CANCELLED
    toolbox = SlowToolbox()
    async with supervised(home, toolbox):
        works = await left(home, asked, TaskCatalogue())
        await asyncio.wait_for(toolbox.waiting.wait(), 20)
        await service.cancel(works)
        assert (await service.until(works, ended, 20)).state is JobState.CANCELLED
    assert toolbox.stopped.is_set()


async def test_what_is_at_work_when_the_supervisor_is_told_to_end_is_stopped_and_done_by_the_next(
    home: Home, service: JobService, task_folder: Path
) -> None:
    toolbox = SlowToolbox()
    async with supervised(home, toolbox):
        job = await left(home, order(task_folder, kernel("LATENCY 5.0")), TaskCatalogue())
        await asyncio.wait_for(toolbox.waiting.wait(), 20)
    assert (await service.get(job)).state is JobState.WAITING
    assert toolbox.stopped.is_set()
    async with supervised(home, FakeToolbox()):
        assert (await service.until(job, ended, 20)).state is JobState.COMPLETED


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_search_whose_supervisor_is_told_to_end_is_gone_on_with_by_the_next_unless_it_is_cancelled(
    home: Home, service: JobService, store: Store, *, wanted: bool
) -> None:
    request = SearchRequest(task=str(write_task(home.tasks / "twice")), candidates=1, depth=1, seed=7)
    toolbox = SlowToolbox()
    async with supervised(home, toolbox):
        run = await service.search(request, "sim:fake")
        await asyncio.wait_for(toolbox.waiting.wait(), 20)
    searches = SearchService(home, toolbox)
    assert (await searches.status(run)).state is RunState.RUNNING
    if not wanted:
        assert (await searches.cancel(run)).state is RunState.CANCELLED
    async with supervised(home, FakeToolbox(), idle_s=1) as stop:
        while wanted and store.get_run(run).state is not RunState.COMPLETED:
            await asyncio.sleep(0.05)
        stop.set()
    assert store.get_run(run).state is (RunState.COMPLETED if wanted else RunState.CANCELLED)
    assert len(store.list_runs()) == 1


async def test_a_mistake_of_ours_fails_one_job_and_not_the_supervisor(
    home: Home, service: JobService, task_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with supervised(home, BrokenToolbox()):
        bad = await left(home, TestOrder(str(task_folder), ""), TaskCatalogue())
        found = await service.until(bad, ended, 20)
        good = await left(home, order(task_folder, kernel()), TaskCatalogue())
        assert (await service.until(good, ended, 20)).state is JobState.COMPLETED
    assert found.state is JobState.FAILED
    assert "ZeroDivisionError" in found.error
    assert "a mistake" in caplog.text


async def test_a_search_begins_goes_on_without_its_client_and_keeps_its_result(
    home: Home, service: JobService, store: Store
) -> None:
    task = write_task(home.tasks / "twice")
    request = SearchRequest(task=str(task), candidates=1, depth=1, seed=7)
    async with supervised(home, FakeToolbox()):
        run = await service.search(request, "sim:fake")
        async with asyncio.timeout(20):
            while store.get_run(run).state is RunState.RUNNING:
                await asyncio.sleep(0.05)
        assert store.get_run(run).state is RunState.COMPLETED
        await service.resume(run)  # has ended: nothing to do, and no mistake
    assert store.get_result(run).candidates


async def test_what_keeps_a_search_from_starting_is_told_to_whoever_asked(
    home: Home, service: JobService, task_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WARPWRIGHT_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    async with supervised(home, FakeToolbox()):
        with pytest.raises(UsageError, match="no API key for model 'some-model'"):
            await service.search(SearchRequest(task=str(task_folder), model="some-model"), "sim:fake")
    assert not [*(home.root / "keys").iterdir()]


def test_keys_go_through_a_file_of_the_owners_alone_that_is_gone_once_read(home: Home) -> None:
    keys.hand_over(home, "t", {"OPENAI_API_KEY": "secret", "PATH": "/bin"})
    (path,) = (home.root / "keys").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert keys.take(home, "t") == {"OPENAI_API_KEY": "secret"}
    assert not path.exists()
    assert keys.take(home, "t") is None


def test_too_many_searches_at_once_are_refused_with_advice(store: Store) -> None:
    new = NewJob("search", "{}", "sim:fake")
    for _ in range(2):
        store.jobs.add(new, most=2, kinds=("search",))
    with pytest.raises(UsageError, match="wait until one ends, or cancel one"):
        store.jobs.add(new, most=2, kinds=("search",))


def test_searches_that_another_machine_does_leave_room_for_those_of_this_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = NewJob("search", "{}", "sim:fake")
    store.jobs.add(new, most=1, kinds=("search",))
    monkeypatch.setattr(jobs, "this_process", lambda: Owner(1, "1", "elsewhere"))
    assert store.jobs.claim() is not None
    store.jobs.add(new, most=1, kinds=("search",))
    with pytest.raises(UsageError, match="wait until one ends"):
        store.jobs.add(new, most=1, kinds=("search",))


@pytest.mark.parametrize(
    ("place", "run", "found"), [("", None, {}), ("elsewhere", None, None), ("", "r", None)]
)
async def test_keys_that_are_left_on_another_machine_or_were_taken_are_the_supervisors_own(
    home: Home, place: str, run: str | None, found: dict[str, str] | None
) -> None:
    asked = ResumeJob(run="r", ticket="t", place=place)
    job = Job("resume", asked.model_dump_json(), "sim:fake", run=run)
    async with DeviceToolboxes(home) as bench:
        keys.hand_over(home, "t", {"OPENAI_API_KEY": "secret"})
        assert await bench.keys_of(job, asked) == {"OPENAI_API_KEY": "secret"}
        assert await bench.keys_of(job, asked) == found


def test_a_job_is_seen_by_its_tenant_only(store: Store) -> None:
    job = store.jobs.add(NewJob("test", "{}", "sim:fake", "ann"), most=1, kinds=("test",))
    assert store.seen_by("ann").jobs.get(job).kind == "test"
    for act in (store.seen_by("bob").jobs.get, store.seen_by("bob").jobs.cancel):
        with pytest.raises(UsageError, match="no job"):
            act(job)


def test_a_job_whose_process_is_gone_or_silent_is_interrupted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = NewJob("test", "{}", "sim:fake")
    silent = store.jobs.add(new, most=2, kinds=("test",))
    assert store.jobs.claim() is not None
    assert store.jobs.get(silent).state is JobState.RUNNING
    now = jobs.time.time()
    monkeypatch.setattr(jobs.time, "time", lambda: now + jobs.SILENT_S + 1)
    assert store.jobs.get(silent).state is JobState.INTERRUPTED
    store.jobs.beat()
    assert store.jobs.get(silent).state is JobState.RUNNING
    killed = store.jobs.add(new, most=2, kinds=("test",))
    monkeypatch.setattr(jobs, "this_process", lambda: Owner(2**22 + 1, "1"))
    assert store.jobs.claim() is not None
    assert store.jobs.get(killed).state is JobState.INTERRUPTED
    assert store.jobs.claim() is None


async def test_a_supervisor_without_work_ends_by_itself(home: Home) -> None:
    async with asyncio.timeout(20):
        await supervise(home, asyncio.Event(), 0.1, lambda device: FakeToolbox())


def test_one_process_is_the_supervisor_and_a_second_one_ends_at_once(home: Home) -> None:
    assert supervisor_of(home) is None
    with presence(home) as mine:
        assert mine
        assert supervisor_of(home) == os.getpid()
        words = [sys.executable, "-m", "warpwright", "supervise", str(home.root), "60"]
        assert subprocess.run(words, timeout=60, check=False, cwd=Path(__file__).parents[3]).returncode == 0
    assert supervisor_of(home) is None


async def test_a_supervisor_is_started_where_none_is_and_again_after_it_ended(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impostor = tmp_path / "work" / "agent"
    impostor.mkdir(parents=True)
    (impostor / "__init__.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(impostor.parent)
    monkeypatch.setenv("PYTHONPATH", str(impostor.parent))
    starter = Starter(home, idle_s=30)

    async def there() -> int:
        async with asyncio.timeout(60):
            while (pid := supervisor_of(home)) is None:
                starter.ensure()
                await asyncio.sleep(0.05)
        return pid

    try:
        first = await there()
        assert os.getsid(first) == first
        starter.ensure()
        assert supervisor_of(home) == first
        for how in (signal.SIGTERM, signal.SIGKILL):
            end_supervisor(home, how)
            assert await there() != first
            first = supervisor_of(home)
    finally:
        end_supervisor(home)
