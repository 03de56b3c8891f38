"""What each kind of job does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import BaseModel, TypeAdapter

from agent.events import Event
from agent.home import Home
from agent.results import SearchRequest
from agent.store import Store
from agent.store.jobs import Job
from agent.supervisor import keys
from tools.local_toolbox import LocalToolbox
from tools.mcp.named_orders import NamedOrder, carry_out
from tools.tasks.catalogue import TaskCatalogue
from tools.toolbox import Toolbox

SEARCHES = ("search", "resume")
"""Kinds of job that work on a run."""


class SearchJob(BaseModel):
    """A search to start; `ticket` names the keys that were left for it."""

    request: SearchRequest
    ticket: str | None = None


class ResumeJob(BaseModel):
    """A run to go on with."""

    run: str
    ticket: str | None = None


class OrderJob(BaseModel):
    """An order on one kernel, and the tasks that it may name."""

    order: NamedOrder
    own: Path | None
    paths: bool


ToolboxMaker = Callable[[str], Toolbox]
Listener = Callable[[Event], None]
_ORDER: TypeAdapter[OrderJob] = TypeAdapter(OrderJob)


class DeviceToolboxes:
    """One toolbox a device, opened when first needed."""

    def __init__(self, home: Home, make: ToolboxMaker | None = None) -> None:
        """Open nothing yet; `make` replaces this machine's toolboxes."""
        self._home = home
        self._make = make or self._local_toolbox
        self._open: dict[str, Toolbox] = {}
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
        return LocalToolbox(device, cache=self._home.compile_cache)

    async def toolbox(self, device: str) -> Toolbox:
        """Return the toolbox of a device."""
        if device not in self._open:
            self._open[device] = await self._stack.enter_async_context(self._make(device))
        return self._open[device]

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
        answer = await carry_out(asked.order, await self.toolbox(job.device), catalogue)
        return answer.model_dump_json()

    async def _search(self, job: Job, listen: Listener) -> None:
        # Takes half a second to import, and neither a server nor a supervisor of other jobs needs it.
        from agent.search.starting import resume_search, start_search
        from agent.search.stored_approval import StoredApproval

        approver = StoredApproval(Store(self._home))
        if job.kind == "search":
            search = SearchJob.model_validate_json(job.request)
            await start_search(
                search.request,
                home=self._home,
                toolbox=await self._toolbox_of(search.request, job.device),
                on_event=listen,
                environment=await self._keys(search.ticket),
                approver=approver,
            )
        else:
            resume = ResumeJob.model_validate_json(job.request)
            run = Store(self._home).get_run(resume.run)
            await resume_search(
                resume.run,
                home=self._home,
                toolbox=await self._toolbox_of(run.request, job.device),
                on_event=listen,
                environment=await self._keys(resume.ticket),
                approver=approver,
            )

    async def _keys(self, ticket: str | None) -> dict[str, str] | None:
        return None if ticket is None else await asyncio.to_thread(keys.take, self._home, ticket)
