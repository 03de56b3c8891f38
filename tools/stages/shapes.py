"""Judges results at the benchmark shapes: all of them on a GPU, on a simulator as far as the work allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sandbox.device import Device
from sandbox.verdict import Provenance, Verdict
from tools.judge.questions import Oracle
from tools.judge.testing import Rules, Subject, judge_results
from tools.reports import ShapeTiming, TestReport
from tools.stages.compiling import CompileStage
from tools.stages.judgement import CheckContext
from tools.tasks.task import Case, Task

WORK = "smsp__thread_inst_executed.sum"
"""The metric that says how long a simulator would take."""


@dataclass(frozen=True)
class ShapeStage:
    """Judges kernels at benchmark shapes on one device.

    Attributes:
        oracle: Returns what knows a task's answers.
        budget: Thread-instructions that the simulator may execute for one shape.
        deadline_s: Seconds of wall time for one shape.
    """

    compiling: CompileStage
    device: Device
    oracle: Callable[[Task], Oracle]
    budget: float
    deadline_s: float

    async def judge(self, context: CheckContext) -> TestReport:
        """Judge one fresh input of a kernel that was profiled, at every shape that the budget allows.

        Raises:
            WorkerError: The environment failed twice.
        """
        task, profile = context.order.task, context.report.profile
        assert profile is not None, "a stage before has profiled"
        work = [_work(timing) for timing in profile.shapes]
        chosen = [case for case, cost in zip(task.benches, work, strict=True) if cost <= self.budget]
        left = tuple(dict(case.dims) for case in task.benches if case not in chosen)
        passed = TestReport(Verdict.PASS, _message(task, chosen, work, self.budget), unjudged=left)
        if not chosen:
            return passed
        subjects = [await self._subject(context, case) for case in chosen]
        # One at a time: a run at these sizes takes a gigabyte or two.
        rules = Rules(context.frozen.constants, seeds=1, deadline_s=self.deadline_s)
        judged = await judge_results(task, self.device, self.oracle(task), subjects, rules, seed=context.seed)
        report = judged.report
        message = passed.message if report.verdict is Verdict.PASS else report.message
        return replace(report, message=message, unjudged=left)

    async def _subject(self, context: CheckContext, case: Case) -> Subject:
        order = context.order
        compiled = await self.compiling.compile(order.task, order.kernel, case.dims, context.report.tune)
        assert compiled.build is not None, "what was profiled has compiled"
        return Subject(case, compiled.build.program, compiled.build.plan, once=True)


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
