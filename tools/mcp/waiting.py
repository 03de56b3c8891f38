"""Waiting inside a tool call: progress while it lasts, an end before clients give up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

LONGEST_CALL_S = 40.0
"""Many clients give up on a call after 60 s; what takes longer than this goes on as a job."""
PROGRESS_S = 1.0
"""Seconds between two progress notifications."""


class TookTooLongError(Exception):
    """The work was stopped because a call must not take longer."""


class Reports(Protocol):
    """The part of an MCP context that tells progress."""

    async def report_progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Tell how far the call is; does nothing where the client did not ask."""
        ...


async def with_progress(
    context: Reports, work: Coroutine[Any, Any, T], what: str, longest_s: float | None = None
) -> T:
    """Await `work`, telling the client once a second that it goes on; cancelled, it cancels the work.

    Args:
        context: Whom to tell.
        work: What to do.
        what: What it is, for the client: "testing softmax".
        longest_s: Seconds until the work is cancelled; by default `LONGEST_CALL_S`.

    Raises:
        TookTooLongError: The work took longer.
    """
    longest_s = LONGEST_CALL_S if longest_s is None else longest_s
    task = asyncio.ensure_future(work)
    try:
        seconds = 0.0
        while not task.done() and seconds < longest_s:
            await context.report_progress(seconds, message=f"{what}, {seconds:.0f} s")
            await asyncio.wait({task}, timeout=min(PROGRESS_S, longest_s - seconds))
            seconds += PROGRESS_S
        if task.done():
            return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    raise TookTooLongError(f"{what} takes longer than {longest_s:.0f} s")
