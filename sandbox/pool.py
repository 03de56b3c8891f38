"""A pool of warm workers of one role; dead ones are replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sandbox.closing import AsyncClosing
from sandbox.errors import WorkerDiedError
from sandbox.isolation.base import Isolation, WorkerSpec
from sandbox.wire import MessageLimits
from sandbox.worker_process import REPLY_LIMITS, Worker

T = TypeVar("T")

_REMEMBERED = 256
"""What requests were about, of which a pool knows who answered last."""


class WorkerPool(AsyncClosing):
    """Up to `size` persistent workers of one role; dead ones are replaced when they are next needed.

    A deadline covers a request from the moment a ready worker takes it: neither the wait for a free worker
    nor the start of a new one (about 0.2 s) is charged to the candidate. Past it, the caller has its
    exception within one second.
    """

    def __init__(
        self, spec: WorkerSpec, isolation: Isolation, *, size: int = 1, requests: int = 500, apart: int = 0
    ) -> None:
        """Start nothing yet.

        Args:
            spec: What the workers are.
            isolation: How they are confined.
            size: How many may run at once.
            requests: After so many a worker is replaced, so that what it leaks is bounded.
            apart: A worker answers about one thing alone, for what it was given may have changed it, and so many
                that wait are kept; 0 where any answers about anything.
        """
        self._spec = spec
        self._isolation = isolation
        self._requests = requests
        self._size, self._apart = size, apart
        self._slots = asyncio.Semaphore(size)
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self._last: dict[str, Worker] = {}
        self._of: dict[Worker, str] = {}
        self._closed = False

    async def request(
        self,
        call: object,
        *accepted: type[T],
        deadline_s: float,
        cpu_s: float | None = None,
        limits: MessageLimits = REPLY_LIMITS,
        spent: Callable[[T], bool] | None = None,
        about: str = "",
    ) -> T:
        """Ask a worker; see `Worker.request` for arguments and exceptions. Cancelling kills that worker.

        `spent` says of an answer that its worker is of no more use: another takes its place. Where the worker is idle
        that answered last what is `about` the same, it answers: it may remember.
        """
        async with self._slots:
            worker = await self._take(about)
            self._remember(about, worker)
            try:
                reply = await worker.request(
                    call, *accepted, deadline_s=deadline_s, cpu_s=cpu_s, limits=limits
                )
            except BaseException:
                self._forget(worker)
                raise
            await self._give(worker, last=spent is not None and spent(reply))
            return reply

    @property
    def closed(self) -> bool:
        """Whether the workers were stopped."""
        return self._closed

    @property
    def lingering(self) -> int:
        """How many workers were killed and are not gone yet: the kernel is still busy with them."""
        return sum(worker.ended and worker.alive for worker in self._all)

    async def warm(self) -> None:
        """Start one worker ahead of its first request."""
        async with self._slots:
            await self._give(await self._take())

    async def aclose(self) -> None:
        """Stop every worker; requests under way end with WorkerDiedError. Safe to call twice."""
        self._closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(worker.aclose() for worker in idle))
        for worker in self._all:
            worker.signal()  # the requests under way see the end of their stream, and clean up
        for _ in range(self._size):
            await self._slots.acquire()
        for _ in range(self._size):
            self._slots.release()
        await asyncio.gather(*(worker.reap() for worker in self._all))
        self._all.clear()

    async def _take(self, about: str = "") -> Worker:
        if self._closed:
            raise WorkerDiedError("the workers were stopped")
        self._all = {worker for worker in self._all if worker.alive}  # some took long to go
        while (worker := self._idle_for(about)) is not None:
            if worker.waiting:
                return worker
            await worker.kill()
            self._forget(worker)
        worker = await Worker.start(self._spec, self._isolation)
        self._all.add(worker)
        if self._closed:
            await worker.kill()
            raise WorkerDiedError("the workers were stopped")
        return worker

    def _idle_for(self, about: str) -> Worker | None:
        """Take a worker that waits; None where none may answer about this."""
        last = self._last.get(about)
        if last in self._idle:
            return self._idle.pop(self._idle.index(last))
        may = [one for one in self._idle if not self._apart or self._of.get(one, about) == about]
        if may:
            self._idle.remove(may[-1])
        return may[-1] if may else None

    def _remember(self, about: str, worker: Worker) -> None:
        if self._apart:
            self._of[worker] = about
        self._last.pop(about, None)
        if about:
            self._last[about] = worker
        if len(self._last) > _REMEMBERED:
            del self._last[next(iter(self._last))]

    async def _give(self, worker: Worker, *, last: bool = False) -> None:
        if last or self._closed or worker.served >= self._requests:
            await worker.aclose()
            self._forget(worker)
        else:
            self._idle.append(worker)
            if self._apart and len(self._idle) > self._apart:
                longest = self._idle.pop(0)
                await longest.aclose()
                self._forget(longest)

    def _forget(self, worker: Worker) -> None:
        self._of.pop(worker, None)
        if not worker.alive:
            self._all.discard(worker)
