"""Works on a suite: several searches at once, each an ordinary run, all with one toolbox."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from agent.budget import SearchBudget
from agent.events import Event, RunStarted
from agent.home import Home
from agent.results import RunState, SearchRequest
from agent.search.starting import resume_search, start_search
from agent.store import Store
from agent.suites.record import KeptSuite, SuiteSearch
from agent.toolboxes import open_toolbox
from sandbox.errors import MissingDependencyError, UsageError, WarpwrightError
from tools.awaiting import until
from tools.toolbox import Toolbox

Listener = Callable[[SuiteSearch, Event | str], None]
"""Told of what a search says, and, in words, why one could not be done."""


async def work(
    kept: KeptSuite, *, home: Home, at_once: int, listen: Listener, toolbox: Toolbox | None = None
) -> None:
    """Work on every search of a suite that has not ended, those that were interrupted from where they stopped.

    What cannot be searched is kept as a problem, and the others go on. Cancelling stops all of them; they can be
    taken up again.

    Args:
        kept: The suite.
        home: Where its runs are kept.
        at_once: Searches at a time.
        listen: Told of everything that happens.
        toolbox: Judges all kernels, and stays open; by default one of this machine's own.

    Raises:
        MissingDependencyError: This machine, or the environment, lacks what every search needs.
    """
    if toolbox is not None:
        await _SuiteWork(kept, home, toolbox, listen).all(at_once)
        return
    request = kept.record.request
    toolbox = open_toolbox(
        request.device, request.tools, home, workers=request.workers, tenant=request.tenant
    )
    async with toolbox as opened:
        await _SuiteWork(kept, home, opened, listen).all(at_once)


class _SuiteWork:
    """One process's work on a suite; its money is divided as searches begin."""

    def __init__(self, kept: KeptSuite, home: Home, toolbox: Toolbox, listen: Listener) -> None:
        self._kept, self._home, self._toolbox, self._listen = kept, home, toolbox, listen
        self._store = Store(home)

    async def all(self, at_once: int) -> None:
        pending = [one for one in self._kept.record.searches if not self._ended(one)]
        await until(pending, self._search, lambda _: False, width=at_once)

    def _ended(self, search: SuiteSearch) -> bool:
        return search.run is not None and self._store.get_run(search.run).state is RunState.COMPLETED

    async def _search(self, search: SuiteSearch) -> None:
        told = partial(self._told, search)
        try:
            if search.run is None:
                request = self._request(search)
                await start_search(request, home=self._home, toolbox=self._toolbox, on_event=told)
            else:
                await resume_search(search.run, home=self._home, toolbox=self._toolbox, on_event=told)
        except MissingDependencyError:
            raise
        except WarpwrightError as error:
            self._kept.change(search.task, search.seed, problem=str(error))
            self._listen(search, str(error))

    def _told(self, search: SuiteSearch, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._kept.change(search.task, search.seed, run=event.run, problem="")
        self._listen(search, event)

    def _request(self, search: SuiteSearch) -> SearchRequest:
        request = self._kept.record.request
        limit = request.budget.max_usd
        if limit is not None:
            budget = request.budget.model_copy(update={"max_usd": self._share(limit)})
            request = request.model_copy(update={"budget": budget})
        return request.model_copy(update={"task": search.task, "seed": search.seed})

    def _share(self, limit: float) -> float:
        """Return the US dollars of a search that begins: an even part of what no other has spent or may spend.

        Raises:
            UsageError: Nothing is left.
        """
        known = [one.run for one in self._kept.record.searches if one.run is not None]
        left = limit - sum(map(self._taken, known))
        if left <= 0:
            raise UsageError(
                f"the suite's {limit:g} US dollars are spent; begin anew with a larger --max-usd"
            )
        return left / sum(one.run is None for one in self._kept.record.searches)

    def _taken(self, run: str) -> float:
        """What a run has spent, once it ended; all that it may spend before."""
        stored = self._store.get_run(run)
        if stored.state is not RunState.COMPLETED:
            return stored.request.budget.max_usd or 0.0
        return self._store.ledger(run, SearchBudget()).cost().usd or 0.0
