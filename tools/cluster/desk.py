"""The desk of a cluster: every search's orders come here, and go to judges, each tenant in turn."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import Any, Protocol

from ray.exceptions import RayError, RayTaskError

from sandbox.errors import WarpwrightError
from tools.awaiting import Memo
from tools.cluster.cluster_answer import ClusterAnswer, JudgeFacts, last_line
from tools.cluster.desk_order import DeskFigures, DeskOrder
from tools.cluster.judge_group import JudgeGroup
from tools.cluster.judge_pool import JudgePool
from tools.order_problem import OrderProblem

TRIES = 20
"""Judges that an order may lose before nobody decides it: an unlucky one is not to be taken for one that kills."""
_REMEMBERED = 512
_TEND_S = 0.5
_ADOPT_S = 5.0
"""For so long a desk that begins waits to hear what judges have answered."""

Actor = Any
"""A handle of Ray's."""


class Staff(Protocol):
    """The judges that Ray knows."""

    def hire(self, group: JudgeGroup) -> Actor:
        """Return a judge that Ray has yet to find a place for."""
        ...

    def fire(self, judge: Actor) -> None:
        """End a judge for good."""
        ...

    def cancel(self, call: Any) -> None:
        """Stop what a judge is at."""
        ...

    def known(self) -> list[tuple[JudgeGroup, Actor]]:
        """Return the judges that were hired before."""
        ...


class Desk:
    """Hands orders out and remembers answers; what it forgets when it ends, judges tell the next one."""

    def __init__(self, staff: Staff) -> None:
        self._staff = staff
        self._pools: dict[JudgeGroup, JudgePool] = {}
        self._facts: dict[Actor, JudgeFacts] = {}
        self._answers: Memo[str, ClusterAnswer] = Memo(_REMEMBERED)
        self._known_by: dict[str, Actor] = {}
        self._answered = self._repeated = self._lost = 0
        self._tending: asyncio.Task[None] | None = None
        self._adopted: list[asyncio.Task[None]] = []

    async def isolation(self, tenant: str, group: JudgeGroup) -> ClusterAnswer:
        """Say how workers of a group are confined, once there is a judge of it."""
        pool = self._pool(group)
        try:
            judge = await pool.take(tenant)
        except WarpwrightError as error:
            return ClusterAnswer.of(error)
        pool.give(judge, tenant)
        return ClusterAnswer(message=self._facts[judge].isolation)

    async def judge(self, asked: DeskOrder) -> ClusterAnswer:
        """Have an order carried out, by another judge where one was lost; answered ones are not carried out again."""
        carry_out = partial(self._carry_out, asked)
        before = self._answered
        answer = await self._answers.get(asked.key, carry_out, keep=lambda one: one.kept)
        self._repeated += self._answered == before
        return answer

    def figures(self) -> DeskFigures:
        """Say what was done so far."""
        places = tuple((facts.node, facts.pid) for facts in self._facts.values())
        return DeskFigures(
            answered=self._answered, repeated=self._repeated, lost=self._lost, judges=places, desk=os.getpid()
        )

    async def _carry_out(self, asked: DeskOrder) -> ClusterAnswer:
        pool, said = self._pool(asked.group), ""
        if self._adopted:  # one of them may know the answer
            await asyncio.wait(self._adopted, timeout=_ADOPT_S)
        for _ in range(TRIES):
            try:
                judge = await pool.take(asked.tenant)
            except WarpwrightError as error:
                return ClusterAnswer.of(error)
            knows = self._known_by.pop(asked.key, judge)
            try:
                answer = await self._asked(knows, asked)
            except RayTaskError as error:
                pool.give(judge, asked.tenant)
                return ClusterAnswer(
                    problem=OrderProblem.WORKER, message=f"a judge failed: {last_line(error)}"
                )
            except RayError as error:
                self._lost += 1
                said = last_line(error)
                (pool.lost if knows is judge else pool.give)(judge, asked.tenant)
                self._facts.pop(judge, None)
                continue
            except asyncio.CancelledError:
                pool.give(judge, asked.tenant)
                raise
            pool.give(judge, asked.tenant)
            self._answered += 1
            return answer
        return ClusterAnswer(
            problem=OrderProblem.WORKER, message=f"{TRIES} judges were lost with it; of the last: {said}"
        )

    async def _asked(self, judge: Actor, asked: DeskOrder) -> ClusterAnswer:
        call = judge.judge.remote(asked.key, asked.device, asked.order)
        try:
            return ClusterAnswer.model_validate_json(await call)
        except asyncio.CancelledError:
            self._staff.cancel(call)
            raise

    def _pool(self, group: JudgeGroup) -> JudgePool:
        if self._tending is None:
            self._tending = asyncio.create_task(self._tend())
            self._adopted = [self._pool(known).await_(judge) for known, judge in self._staff.known()]
        if group not in self._pools:
            self._pools[group] = JudgePool(partial(self._staff.hire, group), self._dismiss, self._met)
        return self._pools[group]

    def _dismiss(self, judge: Actor) -> None:
        self._facts.pop(judge, None)
        self._staff.fire(judge)

    def _met(self, judge: Actor, facts: JudgeFacts) -> None:
        self._facts[judge] = facts
        self._known_by |= dict.fromkeys(facts.answered, judge)

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(_TEND_S)
            for pool in self._pools.values():
                pool.tend(others_short=any(one.short for one in self._pools.values() if one is not pool))
