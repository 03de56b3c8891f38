"""Cancelling a search at its long waits.

The graph itself is never cancelled from outside: LangGraph may then drop a checkpoint that it was
about to write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Set
from typing import Any, TypeVar

T = TypeVar("T")


class SearchInterruptedError(Exception):
    """Raised in the nodes of a search that was asked to stop; never leaves the session."""


class Interruption:
    """Asked once; every guarded wait then ends, and no new one begins."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """End every guarded wait."""
        self._asked.set()

    async def guard(self, work: Coroutine[Any, Any, T]) -> T:
        """Await some work; cancel it and raise SearchInterruptedError once the search is asked to stop."""
        if self._asked.is_set():
            work.close()
            raise SearchInterruptedError
        task, asked = asyncio.create_task(work), asyncio.create_task(self._asked.wait())
        try:
            await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
        if task.cancelled():
            raise SearchInterruptedError
        return task.result()


async def all_ended(tasks: Set[asyncio.Task[Any]]) -> None:
    """Return once tasks that were asked to end have ended.

    Whoever is cancelled meanwhile waits on, and is cancelled then: a search that is said to have ended works no more.
    """
    asked_again: asyncio.CancelledError | None = None
    while pending := {task for task in tasks if not task.done()}:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            asked_again = error
    if asked_again is not None:
        raise asked_again
