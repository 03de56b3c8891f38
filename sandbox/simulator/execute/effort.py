"""What a run has cost so far, and whether that is more than it may."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.budget import Budget, Work
from sandbox.verdict import Verdict

_CLOCK_CHECK = 64
_CAUSES = "look for a loop that never ends, a flag that some threads never set, or far too much work"


@dataclass(frozen=True)
class Exhausted:
    """Why a run cannot go on: a verdict, and what to say of it."""

    verdict: Verdict
    what: str


class Effort:
    """Counts the work of one run, all its launches together.

    Args:
        budget: What it may be; None for any amount.
    """

    def __init__(self, budget: Budget | None = None) -> None:
        self._budget = budget
        self._limit = budget.work if budget is not None else None
        self._until = None if budget is None else time.process_time() + budget.seconds
        self._thread_instructions = 0
        self._steps = 0
        self._calls = 0

    @property
    def work(self) -> Work:
        """The work so far."""
        return Work(self._thread_instructions, self._steps)

    @contextmanager
    def at_most(self, more: Work) -> Generator[None]:
        """Allow no more than so much work meanwhile."""
        before, now = self._limit, self.work
        most = Work(now.thread_instructions + more.thread_instructions, now.steps + more.steps)
        if before is not None:
            most = Work(
                min(most.thread_instructions, before.thread_instructions), min(most.steps, before.steps)
            )
        self._limit = most
        try:
            yield
        finally:
            self._limit = before

    def spend(self, instructions: int, threads: int) -> Exhausted | None:
        """Count instructions that some threads are about to execute together; why they may not, if so."""
        self._steps += instructions
        self._thread_instructions += instructions * threads
        work = self._limit
        if work is not None:
            if self._thread_instructions > work.thread_instructions:
                return self._too_much("thread-instructions", lambda one: one.thread_instructions)
            if self._steps > work.steps:
                return self._too_much("instructions one after another", lambda one: one.steps)
        self._calls += 1
        if self._until is None or self._calls % _CLOCK_CHECK or time.process_time() <= self._until:
            return None
        assert self._budget is not None
        what = (
            f"not judged: simulating the kernel took more than {self._budget.seconds:g} s of processor time, and "
            f"{self._thread_instructions:,} thread-instructions were not its end; it was still running here"
        )
        return Exhausted(Verdict.UNDECIDED, what)

    def _too_much(self, unit: str, of: Callable[[Work], int]) -> Exhausted:
        assert self._limit is not None
        most, baseline = of(self._limit), self._budget.baseline if self._budget is not None else None
        why = ""
        if baseline is not None:
            why = f"; the task's baseline does {of(baseline):,} on this input"
        what = (
            f"the kernel has executed {of(self.work):,} {unit} and not ended, {most:,} are allowed{why}; it was "
            f"still running here: {_CAUSES}"
        )
        return Exhausted(Verdict.TIMEOUT, what)
