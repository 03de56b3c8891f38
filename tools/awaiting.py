"""Two ways to wait for workers: several at once, and once more after an unexplained death."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from sandbox.errors import WorkerDiedError

T = TypeVar("T")


async def together(calls: Iterable[Awaitable[T]]) -> list[T]:
    """Await all at once and return their results in order; the first exception cancels the others.

    Unlike a bare `asyncio.gather`, nothing is left running when this returns or raises.
    """
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def once_more(call: Callable[[], Awaitable[T]]) -> T:
    """Await `call()`; where its worker died without a known cause, await it once more.

    Raises:
        WorkerDiedError: It died twice.
    """
    try:
        return await call()
    except WorkerDiedError:
        return await call()
