"""Questions asked at one time go to a worker in one message: what an answer costs is mostly the way there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sandbox.asking import LimitReached, ask_within
from sandbox.errors import WorkerError
from sandbox.pool import WorkerPool
from sandbox.worker.messages import Expected, ReferenceAnswers, ReferenceCall, ReferenceCalls, ReferenceFault

Answer = Expected | ReferenceFault | LimitReached

_SMALL_BYTES = 64 << 10
"""Of the inputs of a question that may share its message."""

_AT_ONCE = 64

_CPU_S = 10.0
"""Seconds of processor time for one message; the questions of one that takes more are asked one by one."""

_Waiting = list[tuple[ReferenceCall, asyncio.Future[Answer | None]]]
"""Questions, and what will be their answers; None where a question must be asked alone."""


class Batches:
    """Asks small questions together, and alone whatever went wrong together."""

    def __init__(self, pool: WorkerPool, alone: Callable[[ReferenceCall], Awaitable[Answer]]) -> None:
        """Ask nothing yet; `alone` asks one question."""
        self._pool = pool
        self._alone = alone
        self._waiting: _Waiting = []
        self._asking: asyncio.Task[None] | None = None

    async def answer(self, call: ReferenceCall) -> Answer:
        """Return the answer to a question; raises what `alone` raises."""
        if sum(array.nbytes for array in call.inputs.values()) > _SMALL_BYTES:
            return await self._alone(call)
        found: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, found))
        if self._asking is None:
            self._asking = asyncio.ensure_future(self._ask())
        answer = await found
        return await self._alone(call) if answer is None else answer

    async def _ask(self) -> None:
        some: _Waiting = []
        try:
            while self._waiting:
                some, self._waiting = _of_one_reference(self._waiting)
                await self._together([one for one in some if not one[1].done()])
        finally:
            self._asking = None
            left, self._waiting = self._waiting, []
            for _, found in (*some, *left):
                if not found.done():
                    found.set_result(None)

    async def _together(self, some: _Waiting) -> None:
        """Answer these, or none of them."""
        reply = None
        if len(some) > 1:
            calls = ReferenceCalls(tuple(call for call, _ in some))
            try:
                reply = await ask_within(
                    _CPU_S, self._pool, calls, ReferenceAnswers, about=calls.calls[0].text
                )
            except WorkerError:
                reply = None
        right = isinstance(reply, ReferenceAnswers) and len(reply.answers) == len(some)
        answers = reply.answers if isinstance(reply, ReferenceAnswers) and right else [None] * len(some)
        for (_, found), answer in zip(some, answers, strict=True):
            if not found.done():
                found.set_result(answer)


def _of_one_reference(waiting: _Waiting) -> tuple[_Waiting, _Waiting]:
    """Split off the first questions about the first one's reference: no worker answers about two."""
    text = waiting[0][0].text
    some = [one for one in waiting if one[0].text == text][:_AT_ONCE]
    taken = {id(one) for one in some}
    return some, [one for one in waiting if id(one) not in taken]
