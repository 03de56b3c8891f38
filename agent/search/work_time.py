"""How long a run has worked, over all processes that worked on it, and when its time is up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager

from agent.store import Run, Store

_KEEP_S = 5.0


class WorkTime:
    """Counts the seconds of one process's work on a run, on top of those of earlier ones.

    They are stored every few seconds, so that a killed process's work counts as well.
    """

    def __init__(self, store: Store, run: Run) -> None:
        self._store = store
        self._run = run.id
        self._limit = run.request.budget.max_seconds
        self._before = run.seconds
        self._away = 0.0
        self._held: float | None = None
        self._began = self._kept = time.monotonic()

    @property
    def up(self) -> bool:
        """Whether the run has worked for as long as it may."""
        return self._limit is not None and self._seconds() >= self._limit

    def take_unkept(self) -> float:
        """Return the seconds that are not stored yet, which from now on count as stored."""
        now, last = self._now(), self._kept
        self._kept = now
        return now - last

    @contextmanager
    def held(self) -> Generator[None, None, None]:
        """Count nothing meanwhile: the run waits for a person."""
        self._held = held = time.monotonic()
        try:
            yield
        finally:
            self._away += time.monotonic() - held
            self._held = None

    def _now(self) -> float:
        return (time.monotonic() if self._held is None else self._held) - self._away

    async def keep(self) -> None:
        """Store the time while it passes; return once it is up."""
        while not self.up:
            left = float("inf") if self._limit is None else self._limit - self._seconds()
            await asyncio.sleep(max(0.01, min(_KEEP_S, left)))
            self._store.runs.add_seconds(self._run, self.take_unkept())

    def _seconds(self) -> float:
        return self._before + self._now() - self._began
