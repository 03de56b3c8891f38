"""Searches that this server runs. What they did lies in the run store; here is only what makes them go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from agent.events import Event
from agent.results import SearchResult
from sandbox.errors import UsageError, WarpwrightError

MOST_AT_ONCE = 4
"""Searches that share the toolbox's workers; more would only make each other wait."""

Search = Callable[[Callable[[Event], None]], Awaitable[SearchResult]]
"""Starts or resumes a search that tells its events to the listener."""

_LOG = logging.getLogger(__name__)


@dataclass
class Job:
    """One search of this server."""

    run: str | None = None
    happened: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[SearchResult] | None = None

    def listen(self, event: Event) -> None:
        """Learn the run's name, and wake whoever waits."""
        self.run = event.run
        self.happened.set()

    @property
    def running(self) -> bool:
        """Whether the search goes on."""
        return self.task is not None and not self.task.done()

    async def wait(self, seconds: float) -> None:
        """Return once something happens, the search ends, or the time has passed."""
        if self.task is None or self.task.done():
            return
        waiting = asyncio.create_task(self.happened.wait())
        try:
            await asyncio.wait({self.task, waiting}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            self.happened.clear()


class SearchJobs:
    """The searches of one server."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []

    async def begin(self, search: Search) -> str:
        """Start a search and return its run's name once it exists in the store.

        Raises:
            UsageError: Too many run already.
            WarpwrightError: The search could not start.
        """
        self._jobs = [job for job in self._jobs if job.running]
        if len(self._jobs) >= MOST_AT_ONCE:
            msg = (
                f"{MOST_AT_ONCE} searches run already; wait with search_status or end one with cancel_search"
            )
            raise UsageError(msg)
        job = Job()
        self._jobs.append(job)
        job.task = asyncio.create_task(_await(search(job.listen)))
        job.task.add_done_callback(_log_failure)
        try:
            while job.run is None and job.running:
                await job.wait(1.0)
        except asyncio.CancelledError:
            job.task.cancel()
            raise
        return job.run if job.run is not None else job.task.result().run

    async def wait(self, run: str, seconds: float) -> bool:
        """Wait until something happens in a run, at most so long; False at once where it runs elsewhere."""
        job = self._job(run)
        if job is not None:
            await job.wait(seconds)
        return job is not None

    async def stop(self, run: str) -> None:
        """Stop a search where it runs here, and wait until it has stopped."""
        await _stopped([job for job in self._jobs if job.run == run])

    async def aclose(self) -> None:
        """Stop every search."""
        await _stopped(self._jobs)

    def _job(self, run: str) -> Job | None:
        return next((job for job in self._jobs if job.run == run and job.running), None)


def _log_failure(task: asyncio.Task[SearchResult]) -> None:
    """Say on the server's log why a search ended; its clients read it from the store."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _LOG.error(
            "a search failed: %s", error, exc_info=None if isinstance(error, WarpwrightError) else error
        )


async def _await(search: Awaitable[SearchResult]) -> SearchResult:
    return await search


async def _stopped(jobs: list[Job]) -> None:
    tasks = {job.task for job in jobs if job.task is not None and not job.task.done()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
