"""Judges a kernel at sizes that nobody wrote down, where the task's own baseline is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sandbox.device import Device
from sandbox.errors import UsageError
from sandbox.verdict import Verdict
from tools.judge.explanation import shorten
from tools.judge.questions import Oracle
from tools.judge.sizes import fresh_cases
from tools.judge.testing import Rules, Subject, judge_results
from tools.reports import TestReport
from tools.stages.compiling import Build, CompileStage
from tools.tasks.task import Case, Task


@dataclass(frozen=True)
class FreshSizes:
    """Where kernels are judged at fresh sizes of one task.

    Attributes:
        rules: How to judge, the constants of the error bound among them.
    """

    task: Task
    compiling: CompileStage
    device: Device
    oracle: Oracle
    rules: Rules

    async def judge(self, build: Build, passed: TestReport, seed: int) -> TestReport:
        """Judge a kernel that passed the task's cases at fresh sizes too, one input and one run each.

        A size counts where the reference has an answer, and where the baseline passes if the kernel fails.

        Args:
            build: The kernel, compiled for any case.
            passed: What was found of it so far.
            seed: Of the judgement; the sizes and their inputs follow from it.
        """
        cases = [case for case in fresh_cases(self.task, seed) if await self._has_answer(case, seed)]
        held: list[str] = []
        for case in cases:
            found = await self._judge(build.kernel_file.source, build.tune, case, seed)
            if found.verdict is Verdict.PASS:
                held.append(_text(case))
            elif (await self._judge(self.task.baseline, {}, case, seed)).verdict is Verdict.PASS:
                total = passed.cases_total + len(held) + 1
                return replace(found, cases=(*passed.cases, *found.cases), cases_total=total)
            else:
                continue
            passed = replace(passed, cases=(*passed.cases, *found.cases))
        if not held:
            return passed
        message = f"{passed.message} So did fresh sizes: {'; '.join(held)}."
        return replace(passed, message=shorten(message), cases_total=passed.cases_total + len(held))

    async def _has_answer(self, case: Case, seed: int) -> bool:
        try:
            await self.oracle.question(case, seed)
        except UsageError:
            return False
        return True

    async def _judge(self, kernel: str, tune: Mapping[str, int], case: Case, seed: int) -> TestReport:
        compiled = await self.compiling.compile(self.task, kernel, case.dims, tune, assembled=False)
        if compiled.build is None:
            message = shorten(f"{compiled.report.message} (at {_text(case)})")
            return TestReport(compiled.report.verdict, message)
        subject = Subject(case, compiled.build.program, compiled.build.plan, once=True)
        found = await judge_results(self.task, self.device, self.oracle, [subject], self.rules, seed=seed)
        return found.report


def _text(case: Case) -> str:
    return ", ".join(f"{name}={size}" for name, size in case.dims.items())
