"""What one server owns while it lives: a toolbox, and what answers for searches, jobs and judgements."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
from mcp.server.mcpserver import Context

from agent.home import Home
from agent.mcp.access.tenancy import caller_catalogue, tenant
from agent.mcp.handed_over import Work
from agent.mcp.judgements import Judgements
from agent.mcp.search_service import SearchService
from agent.store import Store
from tools.local_toolbox import LocalToolbox
from tools.mcp.named_orders import NamedOrder
from tools.progress import Account
from tools.tasks.catalogue import TaskCatalogue
from tools.toolbox import Toolbox


@dataclass(frozen=True)
class Services:
    """The tools and the searches of one server."""

    toolbox: Toolbox
    searches: SearchService
    judgements: Judgements
    home: Home
    every_run: Store

    @property
    def catalogue(self) -> TaskCatalogue:
        """The tasks that the caller of this request may name."""
        return caller_catalogue(self.home)

    @property
    def store(self) -> Store:
        """The runs that the caller of this request may see."""
        return self.every_run.seen_by(tenant())

    async def go_on_later(self, order: NamedOrder, work: Work, account: Account) -> str:
        """Let an order that is being carried out go on in the background; return the job's id."""
        jobs = self.searches.jobs
        return await jobs.hand_over(order, self.toolbox.device, self.catalogue, (work, account))


def services_of(ctx: Context[Services]) -> Services:
    """Return what the caller of a tool, or the reader of a resource, may use."""
    return ctx.request_context.lifespan_context


@asynccontextmanager
async def open_services(
    home: Home, device: str, base_url: str | None = None
) -> AsyncGenerator[Services, None]:
    """Open a toolbox for one device; leaving stops its workers, while searches and jobs go on."""
    store = Store(home)
    async with LocalToolbox(device, cache=home.compile_cache) as toolbox:
        searches, judgements = SearchService(home, toolbox, base_url), Judgements(store, toolbox)
        judgements.open()
        searches.jobs.handed_over.open()
        try:
            yield Services(toolbox, searches, judgements, home, store)
        finally:
            # The server may be under cancellation already; what follows must still run to its end.
            with anyio.CancelScope(shield=True):
                await searches.jobs.handed_over.aclose()
                await judgements.aclose()
                await searches.aclose()
