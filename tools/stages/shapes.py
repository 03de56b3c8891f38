"""Judges results at the benchmark shapes: all of them on a GPU, on a simulator as far as the work allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sandbox.budget import Budget, Work
from sandbox.device import Device
from sandbox.verdict import Provenance, Verdict
from tools.judge.explanation import shorten
from tools.judge.questions import Oracle
from tools.judge.testing import JudgedResults, Rules, Subject, judge_results, size_key
from tools.reports import CaseReport, ShapeTiming, TestReport
from tools.stages.compiling import CompileStage
from tools.stages.judgement import CheckContext
from tools.stages.profiling import OUT_OF_TIME, sizes
from tools.tasks.task import Case, Task

WORK = "smsp__thread_inst_executed.sum"
"""The metric that says how long a simulator would take."""


_STEPS = 500_000
"""Instructions in a row that are simulated for one shape; what needs more is only counted."""

_MARGIN = 2.0
"""A run may do so many times the work that was counted, which is extrapolated from a sample of blocks."""


_FAR_MORE = 8.0
"""Where a run did so many times the work that was counted, something else was counted: weights differ by less."""


class ShapeRules(Rules):
    """Rules whose works are limits themselves, not what a baseline did."""

    def budget(self, case: Case) -> Budget:
        """See `Rules`."""
        return Budget(self.seconds, self.works[size_key(case.dims)])


@dataclass(frozen=True)
class ShapeStage:
    """Judges kernels at benchmark shapes on one device.

    Attributes:
        oracle: Returns what knows a task's answers.
        most: Thread-instructions that the simulator may execute for one shape.
        seconds: Of processor time for one shape; of wall time on a GPU.
    """

    compiling: CompileStage
    device: Device
    oracle: Callable[[Task], Oracle]
    most: float
    seconds: float

    async def judge(self, context: CheckContext) -> TestReport:
        """Judge one fresh input of a kernel that was profiled, at every shape that its work allows.

        What is beyond the work, or finds the machine too busy, is counted and not judged; no failure comes of it.

        Raises:
            WorkerError: The environment failed twice.
        """
        task, profile = context.order.task, context.report.profile
        assert profile is not None, "a stage before has profiled"
        works = [_work(timing) for timing in profile.shapes]
        cases: list[CaseReport] = []
        left: list[dict[str, int]] = []
        why = ""
        for case, work in zip(task.benches, works, strict=True):
            judged = None if work > self.most else await self._judged(context, case)
            report = judged.report if judged is not None else None
            if judged is not None and report is not None and report.verdict is Verdict.PASS:
                hidden = hidden_work(sizes(case), work, judged.works.get(size_key(case.dims)))
                if hidden:
                    return replace(report, verdict=Verdict.UNDECIDED, message=hidden, unjudged=tuple(left))
                cases += report.cases
                continue
            if report is not None and report.verdict not in OUT_OF_TIME:
                return replace(report, unjudged=tuple(left))
            left.append(dict(case.dims))
            why = report.message if report is not None else why or _beyond(max(works), self.most)
        message = _message(task, left, why)
        return TestReport(Verdict.PASS, message, tuple(cases), len(cases), unjudged=tuple(left))

    async def _judged(self, context: CheckContext, case: Case) -> JudgedResults:
        """One shape at a time: a run at these sizes takes a gigabyte or two."""
        works = {size_key(case.dims): Work(int(_MARGIN * self.most), _STEPS)}
        rules = ShapeRules(context.frozen.constants, seeds=1, seconds=self.seconds, works=works)
        subject, oracle = await self._subject(context, case), self.oracle(context.order.task)
        return await judge_results(
            context.order.task, self.device, oracle, [subject], rules, seed=context.seed
        )

    async def _subject(self, context: CheckContext, case: Case) -> Subject:
        order = context.order
        compiled = await self.compiling.compile(order.task, order.kernel, case.dims, context.report.tune)
        assert compiled.build is not None, "what was profiled has compiled"
        return Subject(case, compiled.build.program, compiled.build.plan, once=True)


def hidden_work(shape: str, counted: float, done: Work | None) -> str:
    """Return what to say where a run did far more than the estimate was made from; empty where it did not.

    Args:
        shape: In words.
        counted: Thread-instructions, weighted as the assembler expands them.
        done: What a whole run executed; None where nobody counted.
    """
    if not counted or done is None or done.thread_instructions <= _FAR_MORE * counted:
        return ""
    return shorten(
        f"Not timed. At benchmark shape {shape} the kernel executes {done.thread_instructions:.2g} "
        f"thread-instructions, the estimate is made from {counted:.2g}: the blocks that were counted do not stand "
        f"for the others."
    )


def _work(timing: ShapeTiming) -> float:
    """Thread-instructions at a shape; 0 where the device measured instead of counting."""
    metrics = (metric for launch in timing.launches for metric in launch.metrics)
    counted = (metric for metric in metrics if metric.provenance is not Provenance.MEASURED)
    return sum(metric.value for metric in counted if metric.name == WORK)


def _beyond(work: float, most: float) -> str:
    return f"{work:.2g} thread-instructions are more than the {most:.2g} that are simulated."


def _message(task: Task, left: Sequence[Mapping[str, int]], why: str) -> str:
    right = len(task.benches) - len(left)
    judged = f"Right at {right} of {len(task.benches)} benchmark shapes." if right else ""
    if not left:
        return judged
    return shorten(f"{judged} {len(left)} only counted, not judged: {why}".strip())
