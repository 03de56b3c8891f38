"""Ways to wait for workers: several at once, once more after an unexplained death, once for many callers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

from sandbox.errors import WorkerDiedError

T = TypeVar("T")
K = TypeVar("K")


async def together(calls: Iterable[Awaitable[T]]) -> list[T]:
    """Await all at once and return their results in order; the first exception cancels the others.

    Unlike a bare `asyncio.gather`, nothing is left running when this returns or raises. Whoever cancels it cancels
    each call once: what a call does then, it does to its end.
    """
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            if not task.cancelling():
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def both(first: Awaitable[T], second: Awaitable[K]) -> tuple[T, K]:
    """Await two calls at once; see `together`."""
    found = await together((first, second))
    return cast("T", found[0]), cast("K", found[1])


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


@dataclass
class _Turn:
    """Those who want one result: one of them makes it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    callers: int = 0


class Memo(Generic[K, T]):
    """Remembers the newest results of asynchronous work; callers with one key share one computation.

    What raised or was cancelled is not remembered: the next caller tries again.
    """

    def __init__(self, capacity: int = 1024, size: Callable[[T], int] = lambda result: 1) -> None:
        """Remember nothing yet.

        Args:
            capacity: How much is remembered, in the unit of `size`; what is larger alone is not remembered at all.
            size: How much of the capacity a result takes.
        """
        self._capacity = capacity
        self._size = size
        self._held = 0
        self._results: dict[K, T] = {}
        self._turns: dict[K, _Turn] = {}

    def put(self, key: K, result: T) -> None:
        """Remember another result for `key` from now on."""
        if key in self._results:
            self._held -= self._size(self._results.pop(key))
        self._results[key] = result
        self._held += self._size(result)
        self._forget_oldest()

    async def get(
        self, key: K, make: Callable[[], Awaitable[T]], *, keep: Callable[[T], bool] = lambda result: True
    ) -> T:
        """Return the result for `key`, from `make()` where there is none; `keep` says what to remember."""
        if key in self._results:
            return self._results[key]
        turn = self._turns.setdefault(key, _Turn())
        turn.callers += 1
        try:
            async with turn.lock:
                if key in self._results:
                    return self._results[key]
                result = await make()
                if keep(result):
                    self.put(key, result)
                return result
        finally:
            turn.callers -= 1
            if not turn.callers:
                del self._turns[key]

    def _forget_oldest(self) -> None:
        while self._held > self._capacity:
            oldest = next(iter(self._results))
            self._held -= self._size(self._results.pop(oldest))
