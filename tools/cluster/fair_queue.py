"""Who is next: what comes free goes to the tenant that holds least of it."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Hands things out, to the tenant that holds fewest; of several such, to the one that was served longest ago.

    So no tenant has more than an even share while others wait, whatever it asks for, and all of it where nobody does.
    """

    def __init__(self) -> None:
        self._free: list[T] = []
        self._waiting: dict[str, deque[asyncio.Future[T]]] = {}
        self._held: Counter[str] = Counter()
        self._served: dict[str, int] = {}
        self._round = 0

    @property
    def waiting(self) -> int:
        """How many have asked and have nothing yet."""
        return sum(len(asked) for asked in self._waiting.values())

    @property
    def free(self) -> tuple[T, ...]:
        """What nobody holds, that which was given back last at the end."""
        return tuple(self._free)

    async def take(self, tenant: str) -> T:
        """Return a thing once it is the tenant's turn; it is `leave` or `give` that ends its holding it."""
        asked: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(asked)
        self._hand_out()
        try:
            return await asked
        except asyncio.CancelledError:
            if asked.done() and not asked.cancelled() and asked.exception() is None:
                self.give(asked.result(), tenant)
            self._withdraw(tenant, asked)
            raise

    def leave(self, tenant: str) -> None:
        """A tenant holds one thing less, and nobody else gets it: it is lost."""
        self._held[tenant] -= 1

    def give(self, thing: T, tenant: str | None = None) -> None:
        """Hand a thing to whoever is next; `tenant` held it until now, nobody where it is new."""
        if tenant is not None:
            self.leave(tenant)
        self._free.append(thing)
        self._hand_out()

    def remove(self, thing: T) -> None:
        """Take a thing that nobody holds out of the queue."""
        self._free.remove(thing)

    def fail(self, error: Exception) -> None:
        """Tell everybody who waits that nothing will come."""
        waiting, self._waiting = self._waiting, {}
        for asked in (one for queue in waiting.values() for one in queue):
            if not asked.done():
                asked.set_exception(error)

    def _hand_out(self) -> None:
        while self._free and self._waiting:
            tenant = min(self._waiting, key=lambda one: (self._held[one], self._served.get(one, 0)))
            asked = self._waiting[tenant].popleft()
            self._withdraw(tenant, asked)
            if asked.done():
                continue
            self._round += 1
            self._served[tenant] = self._round
            self._held[tenant] += 1
            asked.set_result(self._free.pop())

    def _withdraw(self, tenant: str, asked: asyncio.Future[T]) -> None:
        queue = self._waiting.get(tenant, deque())
        if asked in queue:
            queue.remove(asked)
        if not queue:
            self._waiting.pop(tenant, None)
