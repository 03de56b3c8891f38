"""Ways to wait for workers: several at once, once more after an unexplained death, once for many callers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar

from sandbox.errors import WorkerDiedError

T = TypeVar("T")
K = TypeVar("K")


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


async def until(
    items: Iterable[K], work: Callable[[K], Awaitable[T]], ends: Callable[[T], bool], *, width: int
) -> list[tuple[K, T]]:
    """Work on items, so many at a time and in their order, until a result ends it.

    What is under way then still ends, so that every item before the first such result has its own, and no warm worker
    is killed.

    Returns:
        The items that were worked on, in their order, with their results.
    """
    found: dict[int, tuple[K, T]] = {}
    pending = iter(enumerate(items))

    async def runner() -> None:
        for position, item in pending:
            result = await work(item)
            found[position] = item, result
            if ends(result):
                for _ in pending:
                    pass

    await together(runner() for _ in range(max(1, width)))
    return [found[position] for position in sorted(found)]


async def once_more(call: Callable[[], Awaitable[T]]) -> T:
    """Await `call()`; where its worker died without a known cause, await it once more.

    Raises:
        WorkerDiedError: It died twice.
    """
    try:
        return await call()
    except WorkerDiedError:
        return await call()


class Memo(Generic[K, T]):
    """Remembers the newest results of asynchronous work; callers with one key share one computation.

    What raised or was cancelled is not remembered: the next caller tries again.
    """

    def __init__(self, capacity: int = 1024) -> None:
        self._capacity = capacity
        self._results: dict[K, T] = {}
        self._locks: dict[K, asyncio.Lock] = {}

    def put(self, key: K, result: T) -> None:
        """Remember another result for `key` from now on."""
        self._results[key] = result

    async def get(
        self, key: K, make: Callable[[], Awaitable[T]], *, keep: Callable[[T], bool] = lambda result: True
    ) -> T:
        """Return the result for `key`, from `make()` where there is none; `keep` says what to remember."""
        if key in self._results:
            return self._results[key]
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key not in self._results:
                result = await make()
                if keep(result):
                    self._results[key] = result
                    self._forget_oldest()
                return result
            return self._results[key]

    def _forget_oldest(self) -> None:
        while len(self._results) > self._capacity:
            oldest = next(iter(self._results))
            del self._results[oldest]
            self._locks.pop(oldest, None)
