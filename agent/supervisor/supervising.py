"""Doing jobs one after another and beside each other, until there are none for a while."""

from __future__ import annotations

import asyncio
import time

from agent.events import Event
from agent.home import Home
from agent.settings_file import read_settings
from agent.store import Store
from agent.store.jobs import Job, JobTable
from agent.supervisor.work import DeviceToolboxes, ToolboxMaker
from agent.supervisor.working import JobRunner

IDLE_S = 120.0
_POLL_S = 0.2


async def supervise(
    home: Home, stop: asyncio.Event, idle_s: float = IDLE_S, make: ToolboxMaker | None = None
) -> None:
    """Do the jobs of a home until `stop` is set, or none has been there for so many seconds.

    However it ends, what was at work is stopped in order, its workers are gone, and it waits for the next supervisor,
    which goes on with it: be that another machine's, or the one that is started in this one's place. After a kill it
    reads as interrupted.
    """
    async with DeviceToolboxes(home, make) as bench:
        table = Store(home).jobs
        supervisor = _Supervisor(table, bench, read_settings(home, home.root).supervisor.jobs_at_once)
        try:
            await supervisor.run(stop, idle_s)
        finally:
            for job in await supervisor.runner.aclose():
                await asyncio.to_thread(table.leave, job)


class _Supervisor:
    def __init__(self, table: JobTable, bench: DeviceToolboxes, most: int) -> None:
        self._table = table
        self._most = most
        self._bench = bench
        self.runner = JobRunner(table, self._carry_out)

    async def run(self, stop: asyncio.Event, idle_s: float) -> None:
        busy_until = time.monotonic() + idle_s
        while not stop.is_set() and time.monotonic() < busy_until:
            await self._take_jobs()
            await self.runner.tend()
            if len(self.runner):
                busy_until = time.monotonic() + idle_s
            try:
                await asyncio.wait_for(stop.wait(), _POLL_S)
            except TimeoutError:
                continue

    async def _take_jobs(self) -> None:
        while len(self.runner) < self._most and await asyncio.to_thread(self._table.any_waits):
            job = await asyncio.to_thread(self._table.claim)
            if job is None:
                return
            self.runner.begin(job)

    async def _carry_out(self, job: Job) -> str | None:
        def listen(event: Event) -> None:
            if event.kind == "run_started":
                self._table.began(job.id, event.run)

        return await self._bench.carry_out(job, listen)
