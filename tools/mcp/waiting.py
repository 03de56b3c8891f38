"""Waiting inside a tool call: progress while the work lasts, an end before clients give up; the work goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from tools import progress
from tools.progress import Account

T = TypeVar("T")

LONGEST_CALL_S = 40.0
"""Many clients give up on a call after 60 s; what takes longer than this goes on as a job."""
PROGRESS_S = 1.0
"""Seconds between two progress notifications."""


class TookTooLongError(Exception):
    """The work is not at its end, and a call must not take longer."""


class Reports(Protocol):
    """The part of an MCP context that tells progress."""

    async def report_progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Tell how far the call is; does nothing where the client did not ask."""
        ...


def begun(work: Coroutine[Any, Any, T], account: Account) -> asyncio.Task[T]:
    """Begin `work` in a task of its own that outlives the call if it must; what it does is told to `account`."""
    with progress.told_to(account):
        return asyncio.create_task(work)


async def dropped(work: asyncio.Task[Any]) -> None:
    """Cancel work that nobody wants any more, and return once it is at its end."""
    work.cancel()
    await asyncio.wait({work})


async def with_progress(
    context: Reports, work: asyncio.Task[T], account: Account, what: str, longest_s: float | None = None
) -> T:
    """Await `work`, telling the client once a second what it does; cancelled, it cancels the work.

    Args:
        context: Whom to tell.
        work: What is under way.
        account: What that says of itself.
        what: What it is, for the client: "testing for softmax".
        longest_s: What is left of the call, seconds; None for `LONGEST_CALL_S`.

    Raises:
        TookTooLongError: The work takes longer than a call may; it goes on.
    """
    start, longest = time.monotonic(), LONGEST_CALL_S if longest_s is None else longest_s
    try:
        while not work.done() and (spent := time.monotonic() - start) < longest:
            said = f"{what}: {account.now}" if account.now else what
            await context.report_progress(spent, message=f"{said}, {spent:.0f} s")
            await asyncio.wait({work}, timeout=min(PROGRESS_S, longest - spent))
    except BaseException:
        await dropped(work)
        raise
    if work.done():
        return work.result()
    raise TookTooLongError(f"{what} takes longer than {longest:.0f} s")
