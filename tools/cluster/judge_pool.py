"""The judges of one group: hired while orders wait, let go when none do, awaited where they were lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from ray.exceptions import ActorDiedError, RayError

from tools.cluster.cluster_answer import ClusterAnswer, JudgeFacts
from tools.cluster.fair_queue import FairQueue
from tools.order_problem import OrderProblem

_IDLE_S = 60.0
"""A judge that had nothing to do for so long is let go: its node may be needed no more."""
_FAILURES = 3
"""Judges that cannot judge, one after the other and with none that can, until those who wait are told."""
_WANTED_S = 10.0
"""For so long a judge is awaited though nobody waits for it."""
_RETRY_S = 0.2
_LONGEST_S = 30.0
"""Between two judges of which the first could not judge."""
MOST = 512
"""Judges of a group."""

Actor = Any
"""A handle of Ray's; what it answers is JSON."""


class JudgePool:
    """Judges of one group, and who waits for one."""

    def __init__(
        self,
        hire: Callable[[], Actor],
        fire: Callable[[Actor], None],
        on_facts: Callable[[Actor, JudgeFacts], None],
    ) -> None:
        """Hire nobody yet.

        Args:
            hire: Returns a judge that Ray has yet to find a place for.
            fire: Ends one for good.
            on_facts: Told what each says of itself once it is there.
        """
        self._new, self._fire, self._on_facts = hire, fire, on_facts
        self._queue: FairQueue[Actor] = FairQueue()
        self._starting: dict[Actor, tuple[asyncio.Task[None], float]] = {}
        self._idle_since: dict[Actor, float] = {}
        self._ready = 0
        self._failures = 0

    @property
    def ready(self) -> int:
        """How many judges are there."""
        return self._ready

    @property
    def short(self) -> bool:
        """Whether orders wait for judges that Ray has no place for."""
        return bool(self._queue.waiting and self._starting)

    async def take(self, tenant: str) -> Actor:
        """Return a judge once it is the tenant's turn.

        Raises:
            WarpwrightError: No node can judge; the text says why.
        """
        waiting = asyncio.ensure_future(self._queue.take(tenant))
        await asyncio.sleep(0)
        self._hire()
        try:
            judge = await waiting
        except asyncio.CancelledError:
            waiting.cancel()
            raise
        self._idle_since.pop(judge, None)
        return judge

    def give(self, judge: Actor, tenant: str) -> None:
        """Take a judge back."""
        self._idle_since[judge] = time.monotonic()
        self._queue.give(judge, tenant)

    def lost(self, judge: Actor, tenant: str) -> None:
        """Await a judge that ended while a tenant had it: Ray starts it anew, there or elsewhere."""
        self._queue.leave(tenant)
        self._ready -= 1
        self.await_(judge)

    def await_(self, judge: Actor) -> asyncio.Task[None]:
        """Take a judge in once it is there, which is when the task that is returned ends."""
        task = asyncio.ensure_future(self._take_in(judge))
        self._starting[judge] = task, time.monotonic()
        return task

    def tend(self, *, others_short: bool) -> None:
        """Let judges go that have nothing to do, at once where another group lacks room."""
        oldest = time.monotonic() - (_RETRY_S if others_short else _IDLE_S)
        for judge in self._queue.free:
            if self._idle_since.get(judge, 0.0) < oldest:
                self._queue.remove(judge)
                self._ready -= 1
                self._idle_since.pop(judge, None)
                self._fire(judge)
        for judge, (task, since) in list(self._starting.items()):
            if not self._queue.waiting and time.monotonic() - since > _WANTED_S:
                task.cancel()
                del self._starting[judge]
                self._fire(judge)
        self._hire()

    def _hire(self) -> None:
        """Have as many begin as wait, but no more than there are: it is asked for twice as many at most."""
        wanted = min(self._queue.waiting, max(1, self._ready), MOST - self._ready)
        while len(self._starting) < wanted:
            self.await_(self._new())

    async def _take_in(self, judge: Actor) -> None:
        facts = await self._facts(judge)
        if facts is None or facts.problem is not None:
            await self._give_up(judge, facts)
        else:
            self._failures = 0
            self._ready += 1
            self._idle_since[judge] = time.monotonic()
            self._on_facts(judge, facts)
            self._queue.give(judge)
        self._starting.pop(judge, None)
        self._hire()

    async def _give_up(self, judge: Actor, facts: JudgeFacts | None) -> None:
        """End a judge that cannot judge; the next one begins a while later, for it may meet the same node."""
        self._fire(judge)
        self._failures += 1
        if not self._ready and self._failures >= _FAILURES:
            known = None if facts is None else facts.problem
            told = known or ClusterAnswer(problem=OrderProblem.WORKER, message="judges end before they begin")
            self._failures = 0
            self._queue.fail(told.error)
        await asyncio.sleep(min(self._failures, _LONGEST_S))

    @staticmethod
    async def _facts(judge: Actor) -> JudgeFacts | None:
        """Return what a judge says of itself, however long Ray seeks a place for it; None where it is gone."""
        while True:
            try:
                return JudgeFacts.model_validate_json(await judge.facts.remote())
            except ActorDiedError:
                return None
            except RayError:
                await asyncio.sleep(_RETRY_S)
