"""Judgements for the toolboxes of other machines: jobs of this home that this server does itself, its workers warm.

Each is a row of the table of jobs from its start until its client has left it alone for a while: an answer that was
lost on its way can be asked for once more.
"""

from __future__ import annotations

import asyncio
import json
import time

from agent.mcp.access.tenancy import tenant
from agent.store import Store
from agent.store.jobs import JUDGEMENT, Job, NewJob
from agent.supervisor.working import JobRunner
from sandbox.errors import UsageError
from tools.mcp.remote_calls import JudgeParams
from tools.sent_orders import dump, received
from tools.toolbox import Toolbox

MOST_AT_ONCE = 32
"""Judgements of one caller at work."""
ABANDONED_S = 90.0
"""A judgement that nobody asks for any more is stopped; its client is gone."""
_TEND_S = 0.2


class Judgements:
    """Starts, awaits and withdraws judgements for whoever calls; opened, it looks after them."""

    def __init__(self, store: Store, toolbox: Toolbox) -> None:
        self._store = store
        self._toolbox = toolbox
        self._runner = JobRunner(store.jobs, self._carry_out)
        self._asked: dict[str, float] = {}
        """When each judgement was last asked for, by the monotonic clock."""
        self._tending: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to look after judgements."""
        self._tending = asyncio.create_task(self._tend())

    async def aclose(self) -> None:
        """Stop every judgement."""
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.wait({self._tending})
        for job in list(self._asked):
            await self._forget(job)

    async def start(self, params: JudgeParams) -> str:
        """Begin a judgement and return its job's id.

        Raises:
            UsageError: The caller has too many at work.
        """
        request = params.model_dump_json(exclude={"meta"})
        new = NewJob(JUDGEMENT, request, self._toolbox.device, tenant() or "")
        job = await asyncio.to_thread(self._store.jobs.begin, new, most=MOST_AT_ONCE)
        self._asked[job.id] = time.monotonic()
        self._runner.begin(job)
        return job.id

    async def wait(self, job: str, seconds: float) -> Job:
        """Return a judgement of the caller's once it ended, or as it is after so many seconds.

        Raises:
            UsageError: This server knows no such judgement.
        """
        await self._known(job)
        try:
            await self._runner.wait(job, seconds)
        finally:
            self._asked[job] = time.monotonic()
        return await self._known(job)

    async def withdraw(self, job: str) -> None:
        """Stop a judgement of the caller's.

        Raises:
            UsageError: This server knows no such judgement.
        """
        await self._known(job)
        await self._forget(job)

    async def _known(self, job: str) -> Job:
        if job not in self._asked:
            raise UsageError(f"no judgement is called {job!r}")
        return await asyncio.to_thread(self._store.seen_by(tenant()).jobs.get, job)

    async def _forget(self, job: str) -> None:
        self._asked.pop(job, None)
        await self._runner.stop(job)
        await asyncio.to_thread(self._store.jobs.forget, job)

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(_TEND_S)
            await self._runner.tend()
            oldest = time.monotonic() - ABANDONED_S
            for job in [job for job, asked in self._asked.items() if asked < oldest]:
                await self._forget(job)

    async def _carry_out(self, job: Job) -> str:
        params = JudgeParams.model_validate_json(job.request)
        order = await asyncio.to_thread(received, params)
        return json.dumps(dump(await self._toolbox.do(order)))
