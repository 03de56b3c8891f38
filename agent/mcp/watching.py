"""Waiting for what happens in a run, wherever it works: one look at the store serves all who wait."""

from __future__ import annotations

import asyncio
import time

from agent.results import RunState
from agent.store import Store

_POLL_S = 0.25
_LONGEST_S = 2.0
"""What happens between a caller's last look and the first one here is noticed after so long at the latest."""


class Watch:
    """Wakes those who wait for a run."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._watchers: dict[str, asyncio.Task[None]] = {}

    async def wait(self, run: str, seconds: float) -> None:
        """Return once something may have happened in a run, at the latest after so many seconds."""
        watcher = self._watchers.get(run)
        if watcher is None:
            watcher = self._watchers[run] = asyncio.create_task(self._until_changed(run))
            watcher.add_done_callback(lambda _: self._watchers.pop(run, None))
        await asyncio.wait({watcher}, timeout=min(seconds, _LONGEST_S))

    async def aclose(self) -> None:
        """Stop looking."""
        watchers = list(self._watchers.values())
        for watcher in watchers:
            watcher.cancel()
        if watchers:
            await asyncio.wait(watchers)

    async def _until_changed(self, run: str) -> None:
        deadline = time.monotonic() + _LONGEST_S
        first = await asyncio.to_thread(self._mark, run)
        if first[0] is not RunState.RUNNING:  # it has ended since, or waits to be gone on with
            await asyncio.sleep(_POLL_S)
        while first[0] is RunState.RUNNING and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_S)
            if await asyncio.to_thread(self._mark, run) != first:
                return

    def _mark(self, run: str) -> tuple[RunState, int]:
        return self._store.get_run(run).state, self._store.event_log.last(run)
