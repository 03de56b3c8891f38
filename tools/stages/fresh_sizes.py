"""Judges a kernel at sizes that nobody wrote down, where the task's own baseline is right."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sandbox.device import Device
from sandbox.verdict import Verdict
from tools import progress
from tools.awaiting import until
from tools.judge.explanation import shorten
from tools.judge.families import Court, far_worse
from tools.judge.questions import Oracle, has_answer
from tools.judge.sizes import COUNT, fresh_cases
from tools.judge.stress import TELLING, stress_data
from tools.judge.subjects import Rules, Subject
from tools.judge.testing import judge_results
from tools.reports import TestReport
from tools.stages.compiling import Build, CompileStage
from tools.stages.profiling import sizes
from tools.tasks.task import Case, Task


@dataclass(frozen=True)
class FreshSizes:
    """Where kernels are judged at fresh sizes of one task.

    Attributes:
        rules: How to judge, the constants of the error bound among them.
        families: Of values, that the task's baseline survives.
    """

    task: Task
    compiling: CompileStage
    device: Device
    oracle: Oracle
    rules: Rules
    families: tuple[str, ...] = ()

    async def judge(self, build: Build, passed: TestReport, seed: int, count: int = COUNT) -> TestReport:
        """Judge a kernel that passed the task's cases at fresh sizes too, one input and one run each.

        A size counts where the reference has an answer, and where the baseline passes if the kernel fails. Every
        other one is tried with values of a family, else with the task's own where those do not count.

        Args:
            build: The kernel, compiled for any case.
            passed: What was found of it so far.
            seed: Of the judgement; the sizes and their inputs follow from it.
            count: How many sizes.
        """
        progress.begin("fresh sizes")
        seed |= 1  # lock step has seen the task's cases: an odd seed draws a schedule
        found = await until(
            self._cases(seed, count),
            lambda case: self._found(build, case, seed),
            lambda report: report is not None and report.verdict is not Verdict.PASS,
            width=self.rules.width,
        )
        return _joined(passed, [(case, report) for case, report in found if report is not None])

    def _cases(self, seed: int, count: int) -> list[Case]:
        cases = fresh_cases(self.task, seed, count)
        draw, families = random.Random(f"{seed}:values"), [one for one in self.families if one in TELLING]
        for number in range(1, len(cases) if families else 0, 2):
            data = stress_data(self.task, draw.choice(families), number)
            cases[number] = replace(cases[number], data=data)
        return cases

    async def _found(self, build: Build, case: Case, seed: int) -> TestReport | None:
        """What is found of the kernel at a size, on the task's own values where others do not count."""
        found = await self._counted(build, case, seed)
        return await self._counted(build, Case(case.dims), seed) if found is None and case.data else found

    async def _counted(self, build: Build, case: Case, seed: int) -> TestReport | None:
        """What is found of the kernel at a size; None where that size counts for nobody."""
        if not await has_answer(self.oracle, case, seed):
            return None
        found = await self._judge(build.kernel_file.source, build.tune, case, seed)
        if found.verdict is Verdict.PASS:
            return found
        baseline = await self._judge(self.task.baseline, {}, case, seed)
        if baseline.verdict is not Verdict.PASS:
            return None
        if case.data and found.verdict is Verdict.WRONG_RESULT:
            counts = far_worse(found, baseline) and not await self._asks_for_float64(case, seed)
            return found if counts else None
        return found

    async def _asks_for_float64(self, case: Case, seed: int) -> bool:
        own = await self.compiling.compile(self.task, self.task.baseline, case.dims, {}, assembled=False)
        assert own.build is not None, "it has just passed"
        court = Court(self.task, self.device, self.oracle, self.rules)
        return await court.asks_for_float64(own.build.program, case, seed)

    async def _judge(self, kernel: str, tune: Mapping[str, int], case: Case, seed: int) -> TestReport:
        compiled = await self.compiling.compile(self.task, kernel, case.dims, tune, assembled=False)
        if compiled.build is None:
            message = shorten(f"{compiled.report.message} (at {sizes(case)})")
            return TestReport(compiled.report.verdict, message)
        subject = Subject(case, compiled.build.program, compiled.build.plan, once=True)
        found = await judge_results(self.task, self.device, self.oracle, [subject], self.rules, seed=seed)
        return found.report


def _joined(passed: TestReport, counted: Sequence[tuple[Case, TestReport]]) -> TestReport:
    """The report on the task's cases and on fresh sizes, up to the first one at which the kernel fails."""
    held: list[str] = []
    for case, found in counted:
        passed = replace(passed, cases=(*passed.cases, *found.cases), cases_total=passed.cases_total + 1)
        if found.verdict is not Verdict.PASS:
            return replace(found, cases=passed.cases, cases_total=passed.cases_total)
        held.append(sizes(case))
    if not held:
        return passed
    return replace(passed, message=shorten(f"{passed.message} So did fresh sizes: {'; '.join(held)}."))
