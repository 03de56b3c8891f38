"""Jobs at work in this process: each in a task of its own, stopped where someone asks, its state in the store."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial

from agent.logs import about
from agent.store.jobs import Job, JobState, JobTable
from sandbox.errors import WarpwrightError
from tools import progress
from tools.order_problem import OrderProblem
from tools.progress import Account

_BEAT_S = 5.0
_LOG = logging.getLogger(__name__)


class JobRunner:
    """Works on jobs that this process has made its own; what becomes of them is read from the table."""

    def __init__(self, table: JobTable, carry_out: Callable[[Job], Awaitable[str | None]]) -> None:
        """Start nothing yet; `carry_out` does a job and returns its answer as JSON."""
        self._table = table
        self._carry_out = carry_out
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._accounts: dict[str, Account] = {}
        self._recorded: dict[str, str] = {}
        self._beaten = 0.0

    def __len__(self) -> int:
        """How many jobs are at work."""
        return len(self._tasks)

    def begin(self, job: Job, account: Account | None = None) -> None:
        """Work on a job that is this process's own; `account` knows of work that is under way already."""
        self._accounts[job.id] = account or Account()
        with progress.told_to(self._accounts[job.id]):
            task = self._tasks[job.id] = asyncio.create_task(self._work(job))
        task.add_done_callback(partial(self._ended, job))

    async def wait(self, job: str, seconds: float) -> None:
        """Return once a job is no longer at work here, at the latest after so many seconds."""
        if (task := self._tasks.get(job)) is not None:
            await asyncio.wait({task}, timeout=seconds)

    async def stop(self, job: str) -> None:
        """Cancel a job, and return once its work has ended."""
        if (task := self._tasks.get(job)) is not None:
            task.cancel()
            await asyncio.wait({task})

    async def tend(self) -> None:
        """Cancel what someone asked to stop, and say what this process works on; to be called every so often."""
        if not self._tasks:
            return
        await self._record()
        for job in await asyncio.to_thread(self._table.cancels_asked):
            if (task := self._tasks.get(job)) is not None:
                task.cancel()
        if time.monotonic() - self._beaten > _BEAT_S:
            self._beaten = time.monotonic()
            await asyncio.to_thread(self._table.beat)

    async def _record(self) -> None:
        """Record what jobs do, where that changed."""
        for job, account in list(self._accounts.items()):
            said = "\n".join(account.lines)
            if said and said != self._recorded.get(job):
                self._recorded[job] = said
                await asyncio.to_thread(self._table.said, job, said)

    async def aclose(self) -> list[str]:
        """Cancel every job, and return those that were at work once their work has ended."""
        at_work = dict(self._tasks)
        for task in at_work.values():
            task.cancel()
        if at_work:
            await asyncio.wait(at_work.values())
        return list(at_work)

    async def _work(self, job: Job) -> None:
        end = partial(self._table.end, job.id)
        try:
            end = partial(end, JobState.COMPLETED, answer=await self._carry_out(job))
        except asyncio.CancelledError:
            end(JobState.CANCELLED, error="cancelled")
            raise
        except WarpwrightError as error:
            end = partial(end, JobState.FAILED, error=str(error), problem=OrderProblem.of(error))
        await asyncio.to_thread(end)

    def _ended(self, job: Job, task: asyncio.Task[None]) -> None:
        for known in (self._tasks, self._accounts, self._recorded):
            known.pop(job.id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("a job failed", exc_info=error, extra=about(job=job.id))
            said = f"{type(error).__name__}: a mistake of warpwright's; supervisor.log says more"
            self._table.end(job.id, JobState.FAILED, error=said, problem=OrderProblem.WORKER)
