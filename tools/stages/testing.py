"""The test stage: results over every test case, and on values that no one would draw."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from sandbox.device import Device
from sandbox.errors import UsageError
from sandbox.verdict import Verdict
from tools.judge.families import Court, said_of
from tools.judge.freezing import Frozen, freeze
from tools.judge.further import Search, with_lines
from tools.judge.questions import Oracle
from tools.judge.sizes import COUNT
from tools.judge.stress import FAMILIES, stress_case
from tools.judge.subjects import Rules, Subject
from tools.judge.testing import fresh_seed
from tools.reports import TestReport
from tools.stages.compiling import CompiledCases, CompileStage
from tools.stages.fresh_sizes import FreshSizes
from tools.tasks.captured import all_captured
from tools.tasks.task import Task


@dataclass(frozen=True)
class ResultStage:
    """Judges a kernel's results on one device.

    Attributes:
        oracle: Returns what knows a task's answers.
        rules: How to judge; the constants of the error bound come with each task.
        narrowed: Keeps what is frozen of a task for which a family was dropped.
    """

    compiling: CompileStage
    device: Device
    oracle: Callable[[Task], Oracle]
    rules: Rules
    narrowed: Callable[[Task, Frozen], Awaitable[None]]

    async def test(
        self,
        task: Task,
        compiled: CompiledCases,
        frozen: Frozen,
        seed: int | None = None,
        fresh_sizes: int = COUNT,
    ) -> TestReport:
        """Judge a compiled kernel, and say all that is wrong with it; where it did not compile, that is the report.

        Args:
            task: What the kernel is for.
            compiled: The kernel.
            frozen: By what it is judged.
            seed: Replays one judgement.
            fresh_sizes: How many sizes beside the task's own cases to judge.

        Raises:
            UsageError: The task's reference fails.
            WorkerError: The environment failed twice.
        """
        seed = fresh_seed() if seed is None else seed
        report = await self.test_cases(task, compiled, frozen, seed)
        return await self.test_fresh(task, compiled, frozen, report, seed, fresh_sizes)

    async def test_cases(self, task: Task, compiled: CompiledCases, frozen: Frozen, seed: int) -> TestReport:
        """Judge a compiled kernel as `test` does, at no other sizes than those of the task's cases.

        Raises:
            UsageError: As `test`.
            WorkerError: As `test`.
        """
        if compiled.report.verdict is not Verdict.PASS:
            return TestReport(compiled.report.verdict, compiled.report.message)
        report = await self._judge(task, compiled, frozen, seed)
        return with_lines(report, compiled.builds[0].kernel_file.source)

    async def test_fresh(
        self,
        task: Task,
        compiled: CompiledCases,
        frozen: Frozen,
        passed: TestReport,
        seed: int,
        fresh_sizes: int,
    ) -> TestReport:
        """Judge a kernel at fresh sizes too, and return the report on both; `passed` itself where it failed.

        Raises:
            UsageError: As `test`.
            WorkerError: As `test`.
        """
        if passed.verdict is not Verdict.PASS:
            return passed
        oracle, rules = self.oracle(task), self._rules(frozen)
        sizes = FreshSizes(task, self.compiling, self.device, oracle, rules, frozen.families)
        report = await sizes.judge(compiled.builds[0], passed, seed, fresh_sizes)
        return with_lines(report, compiled.builds[0].kernel_file.source)

    def _rules(self, frozen: Frozen) -> Rules:
        return replace(self.rules, constants=frozen.constants, works=frozen.works)

    async def _judge(self, task: Task, compiled: CompiledCases, frozen: Frozen, seed: int) -> TestReport:
        rules = self._rules(frozen)
        court = Court(task, self.device, self.oracle(task), rules)
        families = _stress(task, compiled, frozen.families)

        async def baseline(family: str) -> Subject:
            own = await self.compiling.compile_tests(task, task.baseline, timed=True)
            return _stress(task, own, (family,))[family]

        subjects = _subjects(task, compiled)
        judged, dropped = await court.judge(subjects, families, baseline, seed=seed)
        report = judged.report
        if dropped:
            kept = tuple(family for family in frozen.families if family not in dropped)
            await self.narrowed(task, replace(frozen, families=kept))
            report = replace(report, message=report.message + said_of(dropped))
        if report.verdict is not Verdict.PASS:
            return await Search(task, self.device, self.oracle(task), rules).complete(report, subjects)
        return report

    async def freeze(self, task: Task) -> Frozen:
        """Judge a task's own baseline, and fix by it what candidates are judged by.

        Raises:
            BaselineError: The baseline gives wrong results, or faults.
            UsageError: The baseline does not compile, or a kernel that computes nothing would pass every test.
            WorkerError: The environment failed twice.
        """
        compiled = await self.compiling.compile_tests(task, task.baseline, timed=True)
        if compiled.report.verdict is not Verdict.PASS:
            raise UsageError(f"task {task.name}: its baseline does not compile: {compiled.report.message}")
        subjects, stress = _subjects(task, compiled), _stress(task, compiled, FAMILIES)
        return await freeze(task, self.device, self.oracle(task), subjects, self.rules, stress)


def _subjects(task: Task, compiled: CompiledCases) -> list[Subject]:
    return [
        Subject(case, build.program, build.plan, once=all_captured(task, case))
        for case, build in zip(task.judged_cases, compiled.builds, strict=True)
    ]


def _stress(task: Task, compiled: CompiledCases, families: Sequence[str]) -> dict[str, Subject]:
    """The kernel on the values of each family that suits the task."""
    builds = {repr(case.dims): build for case, build in zip(task.judged_cases, compiled.builds, strict=True)}
    subjects: dict[str, Subject] = {}
    for family in families:
        case = stress_case(task, family)
        if case is not None:
            build = builds[repr(case.dims)]
            subjects[family] = Subject(case, build.program, build.plan, once=True)
    return subjects
