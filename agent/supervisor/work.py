"""What each kind of job does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import BaseModel, TypeAdapter

from agent.events import Event
from agent.home import Home
from agent.results import SearchRequest
from agent.store import Store
from agent.store.jobs import Job
from agent.store.liveness import this_place
from agent.supervisor import keys
from agent.toolboxes import open_toolbox
from sandbox.spans import going_on_below
from tools.mcp.named_orders import NamedOrder, carry_out
from tools.tasks.catalogue import TaskCatalogue
from tools.toolbox import Toolbox

SEARCHES = ("search", "resume")
"""Kinds of job that work on a run."""


class _ModelJob(BaseModel):
    """A job that may ask models.

    Attributes:
        ticket: Names the keys that were left for it, where it asks any.
        place: Where they were left (`agent.store.liveness.this_place`).
        trace: The span of the call that asked for it (`sandbox.spans.carried`).
    """

    ticket: str | None = None
    place: str = ""
    trace: str = ""


class SearchJob(_ModelJob):
    """A search to start."""

    request: SearchRequest


class ResumeJob(_ModelJob):
    """A run to go on with."""

    run: str


class OrderJob(BaseModel):
    """An order on one kernel, and the tasks that it may name.

    Attributes:
        workers: The Ray cluster whose nodes judge; None for this machine's own pool.
    """

    order: NamedOrder
    own: Path | None
    paths: bool
    workers: str | None = None


ToolboxMaker = Callable[[str], Toolbox]
Listener = Callable[[Event], None]
_ORDER: TypeAdapter[OrderJob] = TypeAdapter(OrderJob)


class DeviceToolboxes:
    """One toolbox a device, and on a cluster one a tenant; opened when first needed."""

    def __init__(self, home: Home, make: ToolboxMaker | None = None) -> None:
        """Open nothing yet; `make` replaces this machine's toolboxes."""
        self._home = home
        self._make = make or self._local_toolbox
        self._open: dict[tuple[str, str | None, str], Toolbox] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Enter; leaving stops every worker."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop every worker."""
        await self._stack.aclose()

    def _local_toolbox(self, device: str) -> Toolbox:
        return open_toolbox(device, None, self._home)

    async def toolbox(self, device: str, workers: str | None = None, tenant: str = "") -> Toolbox:
        """Return the toolbox of a device: of this machine's own pool, or of a cluster and what a tenant has there."""
        key = (device, workers, "" if workers is None else tenant)
        if key not in self._open:
            made = (
                self._make(device)
                if workers is None
                else open_toolbox(device, None, self._home, workers=workers, tenant=tenant)
            )
            self._open[key] = await self._stack.enter_async_context(made)
        return self._open[key]

    async def _toolbox_of(self, request: SearchRequest, device: str) -> Toolbox | None:
        """Return the toolbox of a device; None for a search that opens its own: a cluster's, or several."""
        own = request.workers is not None or request.also_on
        return None if own else await self.toolbox(device)

    async def carry_out(self, job: Job, listen: Listener) -> str | None:
        """Do a job and return its answer as JSON; None for a search, whose answer is its run.

        Raises:
            WarpwrightError: It cannot be done; the text says why.
        """
        if job.kind in SEARCHES:
            return await self._search(job, listen)
        asked = _ORDER.validate_json(job.request)
        catalogue = TaskCatalogue(asked.own, asked.paths)
        toolbox = await self.toolbox(job.device, asked.workers, job.tenant)
        answer = await carry_out(asked.order, toolbox, catalogue)
        return answer.model_dump_json()

    async def _search(self, job: Job, listen: Listener) -> None:
        # Takes half a second to import, and neither a server nor a supervisor of other jobs needs it.
        from agent.search.starting import resume_search, start_search
        from agent.search.stored_approval import StoredApproval

        if job.kind == "search":
            asked = SearchJob.model_validate_json(job.request)
            request = asked.request
            # One that has a run was begun by a supervisor that ended.
            begin = partial(start_search, request) if job.run is None else partial(resume_search, job.run)
        else:
            asked = ResumeJob.model_validate_json(job.request)
            request = Store(self._home).get_run(asked.run).request
            begin = partial(resume_search, asked.run)
        with going_on_below(asked.trace):
            await begin(
                home=self._home,
                toolbox=await self._toolbox_of(request, job.device),
                on_event=listen,
                environment=await self.keys_of(job, asked),
                approver=StoredApproval(Store(self._home)),
            )

    async def keys_of(self, job: Job, asked: SearchJob | ResumeJob) -> dict[str, str] | None:
        """Return the keys that were left for a job; None for those of this process.

        Those are for what comes from another machine, or was begun by another supervisor, which took the keys.
        """
        if asked.ticket is None:
            return None
        found = await asyncio.to_thread(keys.take, self._home, asked.ticket)
        elsewhere = asked.place not in ("", this_place())
        return None if found is None and (elsewhere or job.run is not None) else found or {}
