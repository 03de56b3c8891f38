"""What one server owns while it lives: a toolbox, and what answers for searches, jobs and judgements."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import anyio
from mcp.server.mcpserver import Context

from agent.home import Home
from agent.library import features_against
from agent.mcp.access.tenancy import caller_catalogue, tenant
from agent.mcp.handed_over import Work
from agent.mcp.judgements import Judgements
from agent.mcp.search_service import SearchService
from agent.store import Store
from agent.supervisor.work import DeviceToolboxes
from agent.toolboxes import open_toolbox
from sandbox.devices.simulated import simulated_names
from sandbox.errors import UsageError
from tools.mcp.by_tools import by_tools
from tools.mcp.named_orders import NamedOrder
from tools.progress import Account
from tools.reports import CheckReport
from tools.tasks.catalogue import TaskCatalogue
from tools.tasks.task import Task
from tools.toolbox import Toolbox

_DRAFTS = 32
_RUNS = 10_000


class LatestFew(OrderedDict[str, CheckReport]):
    """A mapping that forgets its oldest entry where it would hold too many."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: str, value: CheckReport) -> None:
        """Take an entry in."""
        super().__setitem__(key, value)
        while len(self) > self._most:
            self.popitem(last=False)


@dataclass(frozen=True)
class Services:
    """The tools and the searches of one server.

    Attributes:
        others: Toolboxes of the devices beside the server's own, opened when first asked for.
        judged: What was found of drafts that their persons were asked about, the latest few.
    """

    toolbox: Toolbox
    searches: SearchService
    judgements: Judgements
    home: Home
    every_run: Store
    others: DeviceToolboxes
    judged: MutableMapping[str, CheckReport] = field(default_factory=lambda: LatestFew(_DRAFTS))

    @property
    def devices(self) -> list[str]:
        """The devices that this server judges on, its own first."""
        own = self.toolbox.device
        return [own, *(name for name in simulated_names() if name != own)]

    async def toolbox_of(self, device: str) -> Toolbox:
        """Return the toolbox of one of them."""
        return self.toolbox if device == self.toolbox.device else await self.others.toolbox(device)

    def used(self, task: str) -> bool:
        """Say whether a search that the caller may see is about a task of that name."""
        return any(run.task == task for run in self.store.list_runs(_RUNS))

    def features_against(self, bottleneck: str) -> list[str]:
        """Return the names of techniques that may help against a bottleneck."""
        return features_against(bottleneck)

    def composer_on(self, task: Task) -> str:
        """Say whether the built-in composer writes kernels for a task, and if not, why."""
        from agent.composer import Composer

        try:
            Composer().space(task)
        except UsageError as error:
            return f"start_search needs a model for it: {by_tools(str(error))}"
        return "start_search needs no model for it: the built-in composer writes such kernels."

    @property
    def catalogue(self) -> TaskCatalogue:
        """The tasks that the caller of this request may name."""
        return caller_catalogue(self.home)

    @property
    def store(self) -> Store:
        """The runs that the caller of this request may see."""
        return self.every_run.seen_by(tenant())

    async def go_on_later(self, order: NamedOrder, device: str, work: Work, account: Account) -> str:
        """Let an order that is being carried out go on in the background; return the job's id."""
        return await self.searches.jobs.hand_over(order, device, self.catalogue, (work, account))


class ServicesInUse:
    """Knows what a server opened, for what is served beside MCP."""

    def __init__(self) -> None:
        self._services: Services | None = None

    def take(self, services: Services) -> None:
        """Take note of what was opened."""
        self._services = services

    def __call__(self) -> Services:
        """Return it; there is nothing before the server has started."""
        assert self._services is not None, "no request comes before the server has started"
        return self._services


def services_of(ctx: Context[Services]) -> Services:
    """Return what the caller of a tool, or the reader of a resource, may use."""
    return ctx.request_context.lifespan_context


@asynccontextmanager
async def open_services(
    home: Home,
    device: str,
    base_url: str | None = None,
    *,
    workers: str | None = None,
    tells_paths: bool = True,
) -> AsyncGenerator[Services, None]:
    """Open a toolbox for one device; leaving stops its workers, while searches and jobs go on.

    With `workers` it is a Ray cluster's, whose slots the server's callers share.
    """
    store = Store(home)
    opened = partial(open_toolbox, remote=None, home=home, workers=workers, tenant=lambda: tenant() or "")
    async with opened(device) as toolbox, DeviceToolboxes(home, opened) as others:
        searches = SearchService(home, toolbox, base_url, workers=workers, tells_paths=tells_paths)
        judgements = Judgements(store, toolbox)
        judgements.open()
        searches.jobs.handed_over.open()
        await searches.jobs.take_up()
        try:
            yield Services(toolbox, searches, judgements, home, store, others)
        finally:
            # The server may be under cancellation already; what follows must still run to its end.
            with anyio.CancelScope(shield=True):
                await searches.jobs.handed_over.aclose()
                await judgements.aclose()
                await searches.aclose()
