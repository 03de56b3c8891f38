"""JobService as a server sees them: it hands work to the supervisor of its home, and reads the store."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable

from agent.home import Home
from agent.mcp.handed_over import HandedOver, Work
from agent.results import SearchRequest
from agent.settings_file import read_settings
from agent.store import Store
from agent.store.jobs import Job, JobState, NewJob
from agent.store.liveness import this_place
from agent.supervisor import keys
from agent.supervisor.presence import Starter
from agent.supervisor.work import SEARCHES, OrderJob, ResumeJob, SearchJob
from sandbox.errors import UsageError
from sandbox.spans import carried
from tools.mcp.named_orders import NamedOrder, called
from tools.progress import Account
from tools.tasks.catalogue import TaskCatalogue

MOST_ORDERS = 8
"""Orders of a kind that wait for one home's supervisor at a time."""
_START_S = 40.0
_POLL_S = 0.1


class JobService:
    """Hands jobs over and waits for them. Methods raise UsageError with a text that a client can act on."""

    def __init__(
        self, home: Home, store: Store, seen: Callable[[], Store], workers: str | None = None
    ) -> None:
        """Start nothing yet.

        Args:
            home: Whose supervisor does the work.
            store: Of that home, the whole.
            seen: Returns the store as the caller of the request at hand may see it.
            workers: The Ray cluster on which orders are carried out; None for the machine's own pool.
        """
        self._home = home
        self._store = store
        self._seen = seen
        self._workers = workers
        self._starter = Starter(home)
        self.handed_over = HandedOver(store)

    async def search(self, request: SearchRequest, device: str) -> str:
        """Start a search and return its run's name once it exists in the store."""
        ticket = await self._ticket(request.model)
        asked = SearchJob(request=request, ticket=ticket, place=this_place(), trace=carried())
        return await self._run_of(NewJob("search", asked.model_dump_json(), device, request.tenant), ticket)

    async def resume(self, run: str) -> None:
        """Go on with a run; returns once it is under way."""
        stored = await asyncio.to_thread(self._store.get_run, run)
        if stored.request.tools is not None:
            raise UsageError(
                f"run {run} uses another machine's tools, so its own person must go on with it;"
                " start_search(task=...) begins another"
            )
        ticket = await self._ticket(stored.request.model)
        asked = ResumeJob(run=run, ticket=ticket, place=this_place(), trace=carried())
        new = NewJob("resume", asked.model_dump_json(), stored.device, stored.request.tenant)
        await self._run_of(new, ticket)

    async def hand_over(
        self, order: NamedOrder, device: str, catalogue: TaskCatalogue, under_way: tuple[Work, Account]
    ) -> str:
        """Make an order that is being carried out a job, and return its id at once."""
        return await self.handed_over.take(self._order(order, device, catalogue), *under_way)

    async def queue(self, order: NamedOrder, device: str, catalogue: TaskCatalogue) -> str:
        """Have the supervisor carry out an order, and return the job's id at once.

        Raises:
            UsageError: As many orders of that kind as one may have wait or are at work already.
        """
        return await self._add(self._order(order, device, catalogue), MOST_ORDERS, (called(order),))

    def _order(self, order: NamedOrder, device: str, catalogue: TaskCatalogue) -> NewJob:
        asked = OrderJob(order=order, own=catalogue.own, paths=catalogue.paths, workers=self._workers)
        return NewJob(called(order), asked.model_dump_json(), device, self._seen().tenant or "")

    async def get(self, job: str) -> Job:
        """Return a job that the caller may see; one that waits gets a supervisor."""
        stored = await asyncio.to_thread(self._seen().jobs.get, job)
        if stored.state is JobState.WAITING:
            await asyncio.to_thread(self._starter.ensure)
        return stored

    async def cancel(self, job: str) -> None:
        """Ask a job to stop."""
        await asyncio.to_thread(self._seen().jobs.cancel, job)

    async def stop_run(self, run: str) -> None:
        """Stop the job that works on a run, where there is one."""
        await asyncio.to_thread(self._store.jobs.cancel_run, run)

    async def withdraw_run(self, run: str) -> None:
        """Cancel the job that waits to work on a run, where there is one."""
        await asyncio.to_thread(self._store.jobs.withdraw_run, run)

    def run_waits(self, run: str) -> bool:
        """Whether a job waits to go on with a run; it gets a supervisor."""
        waits = self._store.jobs.run_waits(run)
        if waits:
            self._starter.ensure()
        return waits

    async def take_up(self) -> None:
        """Have done what a supervisor left that ended, or a server that could not wait."""
        if await asyncio.to_thread(self._store.jobs.any_waits):
            await asyncio.to_thread(self._starter.ensure)

    async def until(self, job: str, enough: Callable[[Job], bool], seconds: float) -> Job:
        """Wait until a job is as wanted, at most so long, and return it as it is then."""
        deadline = time.monotonic() + seconds
        while not enough(stored := await self.get(job)) and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_S)
        return stored

    def _refuse_to_wait_for_nodes(self) -> None:
        """Let a search wait that a cluster has no room for yet, and say so: a node more takes it minutes."""
        if self._workers is not None:
            raise UsageError(
                f"{self._workers} has had no slot for the search yet; it begins once there is one, without another"
                " start_search: list_searches will name it"
            )

    async def _ticket(self, model: str | None) -> str | None:
        if model is None:
            return None
        ticket = secrets.token_hex(8)
        await asyncio.to_thread(keys.hand_over, self._home, ticket)
        return ticket

    async def _add(self, new: NewJob, most: int, kinds: tuple[str, ...]) -> str:
        job = await asyncio.to_thread(lambda: self._store.jobs.add(new, most=most, kinds=kinds))
        await asyncio.to_thread(self._starter.ensure)
        return job

    async def _run_of(self, new: NewJob, ticket: str | None) -> str:
        try:
            most = (
                await asyncio.to_thread(read_settings, self._home, self._home.root)
            ).supervisor.jobs_at_once
            job = await self._add(new, most, SEARCHES)
            stored = await self.until(job, lambda now: now.run is not None or now.state.ended, _START_S)
            if stored.run is None and not stored.state.ended:
                self._refuse_to_wait_for_nodes()
                await self.cancel(job)
        finally:
            if ticket is not None:
                keys.forget(self._home, ticket)
        if stored.run is not None:
            return stored.run
        if stored.state is JobState.COMPLETED:  # a run that had ended before
            return ResumeJob.model_validate_json(new.request).run
        raise UsageError(
            stored.error
            or f"the search did not start ({stored.state}); supervisor.log of this home may say why"
        )
