"""Judges results at the benchmark shapes: all of them on a GPU, on a simulator as far as the work allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandbox.device import Device
from sandbox.verdict import Provenance, Verdict
from tools.judge.questions import Oracle
from tools.judge.testing import Rules, Subject, judge_results
from tools.reports import ProfileReport, ShapeTiming, TestReport
from tools.stages.compiling import CompileStage
from tools.tasks.task import Case, Task

WORK = "smsp__thread_inst_executed.sum"
"""The metric that says how long a simulator would take."""


@dataclass(frozen=True)
class BenchJudge:
    """Judges kernels at benchmark shapes on one device.

    Attributes:
        budget: Thread-instructions that the simulator may execute for one shape.
        deadline_s: Seconds of wall time for one shape.
    """

    compiling: CompileStage
    device: Device
    budget: float
    deadline_s: float

    async def judge(
        self,
        task: Task,
        kernel: str,
        profile: ProfileReport,
        oracle: Oracle,
        constants: Mapping[str, float],
        seed: int,
        tune: Mapping[str, int] | None = None,
    ) -> TestReport:
        """Judge one fresh input at every shape that the budget allows.

        Args:
            task: What must be computed.
            kernel: Text of a kernel file that compiled and was profiled.
            profile: Its profile, for the work at every shape.
            oracle: Knows the task's answers.
            constants: Of the error bound, by output.
            seed: Of the inputs.
            tune: Values of the tunables that were profiled.

        Raises:
            WorkerError: The environment failed twice.
        """
        work = [_work(timing) for timing in profile.shapes]
        chosen = [case for case, cost in zip(task.benches, work, strict=True) if cost <= self.budget]
        left = [dict(case.dims) for case in task.benches if case not in chosen]
        if not chosen:
            return TestReport(Verdict.PASS, _message(task, chosen, work, self.budget), (), 0, tuple(left))
        subjects = [await self._subject(task, kernel, case, tune) for case in chosen]
        # One at a time: a run at these sizes takes a gigabyte or two.
        rules = Rules(constants, seeds=1, deadline_s=self.deadline_s)
        report = (await judge_results(task, self.device, oracle, subjects, rules, seed=seed)).report
        message = (
            report.message
            if report.verdict is not Verdict.PASS
            else _message(task, chosen, work, self.budget)
        )
        return TestReport(report.verdict, message, report.cases, report.cases_total, tuple(left))

    async def _subject(self, task: Task, kernel: str, case: Case, tune: Mapping[str, int] | None) -> Subject:
        build = (await self.compiling.compile(task, kernel, case.dims, tune)).build
        assert build is not None, "what was profiled has compiled"
        return Subject(case, build.program, build.plan, once=True)


def _work(timing: ShapeTiming) -> float:
    """Thread-instructions at a shape; 0 where the device measured instead of counting."""
    metrics = (metric for launch in timing.launches for metric in launch.metrics)
    counted = (metric for metric in metrics if metric.provenance is not Provenance.MEASURED)
    return sum(metric.value for metric in counted if metric.name == WORK)


def _message(task: Task, chosen: Sequence[Case], work: Sequence[float], budget: float) -> str:
    judged = f"Right at {len(chosen)} of {len(task.benches)} benchmark shapes." if chosen else ""
    if len(chosen) == len(task.benches):
        return judged
    most = f"{max(work):.2g} thread-instructions are more than the {budget:.2g} that are simulated"
    return f"{judged} {len(task.benches) - len(chosen)} only counted, not judged: {most}.".strip()
