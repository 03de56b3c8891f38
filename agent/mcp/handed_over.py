"""Orders that outlasted their call: they go on in this server as jobs, and nothing of them is done twice.

Where the server ends first, its home's supervisor does them from the start: a server of a client that begins one for
each call still brings its answers.
"""

from __future__ import annotations

import asyncio

from agent.store import Store
from agent.store.jobs import Job, NewJob
from agent.supervisor.working import JobRunner
from tools.mcp.named_orders import Answer
from tools.mcp.waiting import dropped
from tools.progress import Account

MOST_AT_ONCE = 8
"""Orders of one caller that may outlast their calls at a time."""
_TEND_S = 0.2

Work = asyncio.Task[Answer]


class HandedOver:
    """Takes work over from calls, and looks after it once opened."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._runner = JobRunner(store.jobs, self._carry_out)
        self._work: dict[str, Work] = {}
        self._tending: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to look after jobs."""
        self._tending = asyncio.create_task(self._tend())

    async def take(self, new: NewJob, work: Work, account: Account) -> str:
        """Make work under way a job, and return the job's id.

        Raises:
            UsageError: The caller has too many at work; the work was cancelled.
        """
        try:
            job = await asyncio.to_thread(self._store.jobs.adopt, new, most=MOST_AT_ONCE)
        except BaseException:
            await dropped(work)
            raise
        self._work[job.id] = work
        self._runner.begin(job, account)
        return job.id

    async def aclose(self) -> None:
        """Leave what is under way to the supervisor of the home."""
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.wait({self._tending})
        for job in list(self._work):
            await self._runner.stop(job)
            await asyncio.to_thread(self._store.jobs.leave, job)

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(_TEND_S)
            await self._runner.tend()

    async def _carry_out(self, job: Job) -> str:
        try:
            answer = await self._work[job.id]
            return await asyncio.to_thread(answer.model_dump_json)
        finally:
            self._work.pop(job.id, None)
