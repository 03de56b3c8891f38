"""Doing jobs one after another and beside each other, until there are none for a while."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial

from agent.events import Event
from agent.home import Home
from agent.store import Store
from agent.store.jobs import Job, JobState
from agent.supervisor.work import ToolboxMaker, Workbench
from sandbox.errors import WarpwrightError

MOST_AT_ONCE = 8
"""Jobs that share the workers; more would only make each other wait."""
IDLE_S = 120.0
_POLL_S = 0.2
_BEAT_S = 5.0
_LOG = logging.getLogger(__name__)


async def supervise(
    home: Home, stop: asyncio.Event, idle_s: float = IDLE_S, make: ToolboxMaker | None = None
) -> None:
    """Do the jobs of a home until `stop` is set, or none has been there for so many seconds.

    However it ends, the jobs that were at work are cancelled in order, their workers are gone, and the store
    says so; after a kill they read as interrupted.
    """
    async with Workbench(home, make) as bench:
        supervisor = _Supervisor(Store(home), bench)
        try:
            await supervisor.run(stop, idle_s)
        finally:
            await supervisor.aclose()


class _Supervisor:
    def __init__(self, store: Store, bench: Workbench) -> None:
        self._store = store
        self._bench = bench
        self._tasks: dict[str, asyncio.Task[str | None]] = {}
        self._beaten = 0.0

    async def run(self, stop: asyncio.Event, idle_s: float) -> None:
        busy_until = time.monotonic() + idle_s
        while not stop.is_set() and time.monotonic() < busy_until:
            await self._take_jobs()
            await self._cancel_what_is_not_wanted()
            await self._beat()
            if self._tasks:
                busy_until = time.monotonic() + idle_s
            try:
                await asyncio.wait_for(stop.wait(), _POLL_S)
            except TimeoutError:
                continue

    async def aclose(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _take_jobs(self) -> None:
        while len(self._tasks) < MOST_AT_ONCE and await asyncio.to_thread(self._store.jobs.any_waits):
            job = await asyncio.to_thread(self._store.jobs.claim)
            if job is None:
                return
            task = self._tasks[job.id] = asyncio.create_task(self._work(job))
            task.add_done_callback(partial(self._ended, job))

    async def _work(self, job: Job) -> str | None:
        def listen(event: Event) -> None:
            if event.kind == "run_started":
                self._store.jobs.began(job.id, event.run)

        jobs = self._store.jobs
        try:
            answer = await self._bench.carry_out(job, listen)
            jobs.end(job.id, JobState.COMPLETED, answer=answer)
            return answer
        except asyncio.CancelledError:
            jobs.end(job.id, JobState.CANCELLED, error="cancelled")
            raise
        except WarpwrightError as error:
            jobs.end(job.id, JobState.FAILED, error=str(error))
            return None

    def _ended(self, job: Job, task: asyncio.Task[str | None]) -> None:
        self._tasks.pop(job.id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("job %s failed", job.id, exc_info=error)
            said = f"{type(error).__name__}: a mistake of warpwright's; supervisor.log says more"
            self._store.jobs.end(job.id, JobState.FAILED, error=said)

    async def _cancel_what_is_not_wanted(self) -> None:
        for job in await asyncio.to_thread(self._store.jobs.cancels_asked) if self._tasks else ():
            if (task := self._tasks.get(job)) is not None:
                task.cancel()

    async def _beat(self) -> None:
        if self._tasks and time.monotonic() - self._beaten > _BEAT_S:
            self._beaten = time.monotonic()
            await asyncio.to_thread(self._store.jobs.beat)
