"""Families of values: which count for a task, and how a candidate that fails on one is judged beside the baseline."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sandbox.device import Device
from sandbox.dtypes import numpy_dtype
from sandbox.errors import UsageError
from sandbox.program import Program
from sandbox.verdict import Verdict
from tools.judge.comparison import compare
from tools.judge.questions import Oracle, has_answer
from tools.judge.subjects import Rules, Subject
from tools.judge.testing import JudgedResults, fresh_seed, judge_results
from tools.reports import TestReport
from tools.tasks.task import Case, Task

ROOM = 0.5
"""Of its error bound, a baseline may use this much on a family that counts: what is near the edge fails some day."""

_FAR = 4.0
"""What errs so many times as much as the baseline, no order of sums explains."""

SEEDS = 4
"""Inputs of a family that the baseline must survive."""

BASELINE_FAILS = "as its baseline fails there too"
FLOAT32_FAILS = "as its baseline computes in float64, and float32 arithmetic fails there"

_IN_FLOAT64 = re.compile(
    r"^\s*(?:@!?%p\d+\s+)?(?:add|sub|mul|fma|mad|div|rcp|sqrt|rsqrt)\.\S*f64\b", re.MULTILINE
)


@dataclass(frozen=True)
class Court:
    """Where kernels of one task are judged."""

    task: Task
    device: Device
    oracle: Oracle
    rules: Rules

    async def survives(self, baseline: Subject, seed: int) -> bool:
        """Say whether the task's own baseline passes a family with room, on several inputs.

        Where the reference has no answer, as `math.exp` beyond its range, the family is not one of the task.
        """
        rules = replace(self.rules, seeds=SEEDS)
        subject = replace(baseline, once=False)
        try:
            found = await judge_results(self.task, self.device, self.oracle, [subject], rules, seed=seed)
        except UsageError:
            return False
        used = [case.worst_ratio or 0.0 for case in found.report.cases]
        return found.report.verdict is Verdict.PASS and max(used, default=0.0) <= ROOM

    async def judge(
        self,
        subjects: Sequence[Subject],
        families: Mapping[str, Subject],
        baseline: Callable[[str], Awaitable[Subject]],
        *,
        seed: int | None = None,
    ) -> tuple[JudgedResults, dict[str, str]]:
        """Judge a candidate on the task's cases and on families of values.

        Where it gets a wrong result on a family, the baseline is run on that very input; where that fails too, the
        input asks for more than the task does: the family is dropped, and the candidate judged on the others. A
        baseline that computes in float64 survives what float32 cannot bear: then the reference in float32 is asked.

        Args:
            subjects: The candidate for every case of the task.
            families: The candidate for every family, by the family's name.
            baseline: Gives the task's baseline, compiled for a family.
            seed: Replays one judgement; None takes a fresh seed.

        Returns:
            The judgement, and by each family that was dropped why it was.

        Raises:
            UsageError: The reference has no answer to one of the task's own cases.
            WorkerDiedError: A worker ended for no known cause, and so did the one after it.
        """
        asked, dropped = dict(families), dict[str, str]()
        seed = fresh_seed() if seed is None else seed
        while True:
            try:
                judgement = await judge_results(
                    self.task, self.device, self.oracle, [*subjects, *asked.values()], self.rules, seed=seed
                )
            except UsageError:
                unanswered = [
                    name for name, one in asked.items() if not await has_answer(self.oracle, one.case, seed)
                ]
                if not unanswered:
                    raise
                asked = {name: one for name, one in asked.items() if name not in unanswered}
                continue
            failed = next((name for name, one in asked.items() if one.case == judgement.failed), None)
            if failed is None or judgement.report.verdict is not Verdict.WRONG_RESULT:
                return judgement, dropped
            beside = await baseline(failed)
            why = await self._excuse(beside, judgement.report.cases[-1].seed)
            if not why:
                return judgement, dropped
            del asked[failed]
            dropped[failed] = why

    async def _excuse(self, baseline: Subject, seed: int) -> str:
        """Why an input asks for more than the task does; empty where it does not."""
        if await self._fails(baseline, seed):
            return BASELINE_FAILS
        return FLOAT32_FAILS if await self.asks_for_float64(baseline.program, baseline.case, seed) else ""

    async def asks_for_float64(self, baseline: Program, case: Case, seed: int) -> bool:
        """Whether the baseline survives an input by computing in float64, which the task does not ask for."""
        doubles = any(argument.dtype == "float64" for argument in self.task.arguments)
        return not doubles and _in_float64(baseline) and await self._overtaxes_float32(case, seed)

    async def _overtaxes_float32(self, case: Case, seed: int) -> bool:
        """Whether the task's reference, computed in float32, lies outside the bound of one input."""
        question = await self.oracle.question(case, seed)
        try:
            found = await self.oracle.in_float32(case, seed)
        except UsageError:
            return False
        with np.errstate(over="ignore"):
            return not question.many_answers and any(
                compare(
                    found[one.name].astype(numpy_dtype(one.dtype)),
                    one,
                    constant=self.rules.constants[one.name],
                ).wrong
                for one in question.expected
                if one.name in self.rules.constants
            )

    async def _fails(self, baseline: Subject, seed: int) -> bool:
        rules = replace(self.rules, seeds=1)
        found = await judge_results(self.task, self.device, self.oracle, [baseline], rules, seed=seed)
        return found.report.verdict is not Verdict.PASS


def far_worse(found: TestReport, baseline: TestReport) -> bool:
    """Whether a wrong result is the kernel's fault, and not that of an input at the edge of what can be asked.

    The baseline, which passes, has room there, or errs so much less that no order of sums explains it.
    """
    used = max((one.worst_ratio or 0.0 for one in baseline.cases), default=0.0)
    worst = max(
        (math.inf if one.worst_ratio is None else one.worst_ratio for one in found.cases), default=0.0
    )
    return used <= ROOM or worst > _FAR * used


def _in_float64(program: Program) -> bool:
    """Whether a program does arithmetic in float64."""
    return _IN_FLOAT64.search(program.ptx) is not None


def said_of(dropped: Mapping[str, str]) -> str:
    """Return what to say of families that were dropped, by the reason for each; empty where none was."""
    families = {why: ", ".join(one for one in dropped if dropped[one] == why) for why in dropped.values()}
    return "".join(f" Not asked of this task, {why}: {names}." for why, names in families.items())
