"""Judges results at the benchmark shapes: all of them on a GPU, on a simulator as far as the work allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sandbox.budget import Budget, Work
from sandbox.device import Device
from sandbox.errors import UsageError
from sandbox.verdict import Provenance, Verdict
from tools.judge.explanation import shorten
from tools.judge.families import far_worse
from tools.judge.questions import Oracle
from tools.judge.sizes import large_case
from tools.judge.stress import SPIKES, stress_data
from tools.judge.subjects import Rules, Subject, size_key
from tools.judge.testing import JudgedResults, judge_results
from tools.reports import CaseReport, ShapeTiming, TestReport
from tools.stages.compiling import CompileStage
from tools.stages.judgement import CheckContext
from tools.stages.profiling import OUT_OF_TIME, least_work, sizes
from tools.stages.recounting import falls_short
from tools.tasks.task import Case, Task, case_elements

WORK = "smsp__thread_inst_executed.sum"
"""The metric that says how long a simulator would take."""


_STEPS = 500_000
"""Instructions in a row that are simulated for one shape; what needs more is only counted."""

_MARGIN = 2.0
"""A run may do so many times the work that was counted, which is extrapolated from a sample of blocks."""


_FAR_MORE = 2.0
"""Where a run did so many times the work that was counted, something else was counted: data differ by less."""

_SAMPLED_WORK = 3e8
"""Thread-instructions that a sample of blocks may take, by what the average block does."""

_SAMPLED_BLOCKS = (8, 256)

_DEAR = 64
"""Thread-instructions for each element of a task's arrays from which on a run takes far longer than its reference."""

_BLOCKS_THAT_TELL = 64
"""Of the baseline, which show whether it bears huge elements before a dear kernel is run on them."""

_MOST_ELEMENTS = 1 << 26
_MOST_FLOPS = 3e11
"""Beyond these a reference in float64, with the scale of its errors, takes minutes or much of the memory."""

_TELLS_NOTHING = OUT_OF_TIME | {Verdict.UNSUPPORTED, Verdict.RESOURCE_LIMIT, Verdict.UNINITIALIZED}
"""What says nothing against a kernel of which a sample of blocks ran alone."""


class ShapeRules(Rules):
    """Rules whose works are limits themselves, not what a baseline did."""

    def budget(self, case: Case) -> Budget:
        """See `Rules`."""
        return Budget(self.seconds, self.works[size_key(case.dims)])


@dataclass(frozen=True)
class _Found:
    """What became of one shape: a verdict, how it was come by, and why no more is known.

    Attributes:
        sampled: How many blocks were run; 0 for all.
        short: Whether the run did more than was counted of a sample.
    """

    report: TestReport
    sampled: int = 0
    why: str = ""
    short: bool = False


@dataclass(frozen=True)
class JudgedShapes:
    """The report on all shapes.

    Attributes:
        short: Shapes at which the run did more than the sample says that the estimate is made from.
    """

    report: TestReport
    short: tuple[Case, ...] = ()


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

    async def judge(self, context: CheckContext) -> JudgedShapes:
        """Judge one fresh input of a kernel that was profiled, at every shape that its work allows.

        Beyond the work, what a sample of blocks writes is judged, where that can be told. What cannot be judged, or
        finds the machine too busy, was only counted; no failure comes of it.

        Raises:
            WorkerError: The environment failed twice.
        """
        task, profile = context.order.task, context.report.profile
        assert profile is not None, "a stage before has profiled"
        cases: list[CaseReport] = []
        left: list[dict[str, int]] = []
        sampled: list[tuple[int, Case]] = []
        short: list[Case] = []
        why = ""
        for case, timing in zip(task.benches, profile.shapes, strict=True):
            try:
                found = await self._shape(context, case, timing)
            except UsageError as error:
                found = _Found(_NOTHING, why=f"The reference has no answer at {sizes(case)}: {error}")
            if found.report.verdict is Verdict.PASS:
                cases += found.report.cases
                sampled += [(found.sampled, case)] if found.sampled else []
                short += [case] if found.short else []
            elif found.why:
                left.append(dict(case.dims))
                why = found.why
            else:
                return JudgedShapes(replace(found.report, not_judged=tuple(left)))
        largest = large_case(task, context.seed)
        beyond = None if largest is None else await self._beyond(context, largest)
        if beyond is not None and beyond.verdict is not Verdict.PASS:
            return JudgedShapes(replace(beyond, not_judged=tuple(left)))
        message = _message(len(cases) - len(sampled), sampled, left, why)
        if beyond is not None:
            message = shorten(f"{message} So is a size beyond them: {sizes(Case(beyond.cases[0].dims))}.")
        report = TestReport(
            Verdict.PASS,
            message,
            tuple(cases),
            len(cases),
            tuple(left),
            tuple(dict(case.dims) for _, case in sampled),
        )
        return JudgedShapes(report, tuple(short))

    async def _beyond(self, context: CheckContext, case: Case) -> TestReport | None:
        """Judge a size beyond the benchmark shapes; None where it counts for nobody.

        A kernel that fails there has failed unless the task's baseline does so too, or the reference has no answer.
        """
        try:
            found = (await self._judged(context, case)).report
            if found.verdict in OUT_OF_TIME:
                return None
            if found.verdict is Verdict.PASS:
                return found
            baseline = (await self._run(context, case, (context.order.task.baseline, {}), 0)).report
        except UsageError:
            return None
        return found if baseline.verdict in {Verdict.PASS, *OUT_OF_TIME} else None

    async def _shape(self, context: CheckContext, case: Case, timing: ShapeTiming) -> _Found:
        work = _work(timing)
        dear = work > _DEAR * case_elements(context.order.task, case)
        why = f"{work:.2g} thread-instructions are more than the {self.most:.2g} that are simulated."
        if work <= self.most:
            judged = await self._judged(context, case, dear=dear)
            report = judged.report
            counted, done = (
                sum(launch.executed for launch in timing.launches),
                judged.works.get(size_key(case.dims)),
            )
            hidden = hidden_work(sizes(case), counted, done)
            if report.verdict is Verdict.PASS and hidden:
                return _Found(replace(report, verdict=Verdict.UNDECIDED, message=hidden))
            if report.verdict not in OUT_OF_TIME:
                return _Found(
                    report, short=done is not None and falls_short(timing, done.thread_instructions)
                )
            why = report.message
        obstacle = _obstacle(context.order.task, case, timing)
        if obstacle:
            return _Found(_NOTHING, why=f"{why} Of a sample of blocks nothing can be told: {obstacle}.")
        blocks = _affordable(timing, work)
        report = (await self._judged(context, case, blocks, dear=dear)).report
        if report.verdict is Verdict.UNDECIDED and any(
            one.total for one in report.cases
        ):  # compared, and short
            return _Found(replace(report, message=shorten(f"Not timed. {report.message}")))
        if report.verdict in _TELLS_NOTHING:
            return _Found(_NOTHING, why=why if report.message == why else f"{why} {report.message}")
        return _Found(report, blocks)

    async def _judged(
        self, context: CheckContext, case: Case, blocks: int = 0, *, dear: bool = False
    ) -> JudgedResults:
        """Judge one shape, on huge elements among the task's own values where the task's baseline bears them.

        One shape at a time: a run at these sizes takes a gigabyte or two. Of a kernel that is dear to run, some
        blocks of the baseline are asked first.
        """
        task = context.order.task
        data = stress_data(task, SPIKES, context.seed)
        spiked = Case(case.dims, case.data | data)
        kernel = context.order.kernel, context.report.tune
        baseline: tuple[str, Mapping[str, int]] = task.baseline, {}
        try:
            if data and dear:
                some = await self._run(context, spiked, baseline, _BLOCKS_THAT_TELL)
                if some.report.verdict is Verdict.WRONG_RESULT:
                    return await self._run(context, case, kernel, blocks)
            found = await self._run(context, spiked, kernel, blocks)
        except UsageError:  # the reference has no answer there
            return await self._run(context, case, kernel, blocks)
        if not data or found.report.verdict is not Verdict.WRONG_RESULT:
            return found
        beside = (await self._run(context, spiked, baseline, blocks)).report
        if beside.verdict is Verdict.PASS and far_worse(found.report, beside):
            return found
        return await self._run(context, case, kernel, blocks)

    async def _run(
        self, context: CheckContext, case: Case, tuned: tuple[str, Mapping[str, int]], blocks: int
    ) -> JudgedResults:
        task, works = context.order.task, {size_key(case.dims): Work(int(_MARGIN * self.most), _STEPS)}
        rules = ShapeRules(context.frozen.constants, seeds=1, seconds=self.seconds, works=works)
        compiled = await self.compiling.compile(task, tuned[0], case.dims, tuned[1])
        build = compiled.build
        if build is None:
            message = shorten(f"{compiled.report.message} (at {sizes(case)})")
            return JudgedResults(TestReport(compiled.report.verdict, message))
        subject = Subject(
            case, build.program, lambda scalars: replace(build.plan(scalars), sampled=blocks), once=True
        )
        return await judge_results(task, self.device, self.oracle(task), [subject], rules, seed=context.seed)


def hidden_work(shape: str, counted: float, done: Work | None) -> str:
    """Return what to say where a run did far more than the estimate was made from; empty where it did not.

    Args:
        shape: In words.
        counted: Thread-instructions; 0 where nobody counted them.
        done: What a whole run executed; None where nobody counted.
    """
    if not counted or done is None or done.thread_instructions <= _FAR_MORE * counted:
        return ""
    return shorten(
        f"Not timed. At benchmark shape {shape} the kernel executes {done.thread_instructions:.2g} "
        f"thread-instructions, the estimate is made from {counted:.2g}: the blocks that were counted do not stand "
        f"for the others."
    )


_NOTHING = TestReport(Verdict.UNDECIDED, "")


def _obstacle(task: Task, case: Case, timing: ShapeTiming) -> str:
    """Why what a sample of blocks writes cannot be judged; empty where it may be."""
    if len(timing.launches) > 1:
        return f"{len(timing.launches)} launches build on each other"
    _, flops = least_work(task, case)
    if case_elements(task, case) > _MOST_ELEMENTS or flops > _MOST_FLOPS:
        return f"the reference at {sizes(case)} takes too much"
    return ""


def _affordable(timing: ShapeTiming, work: float) -> int:
    """How many blocks of the only launch to run."""
    least, most = _SAMPLED_BLOCKS
    each = work / max(1, sum(launch.total_blocks for launch in timing.launches))
    return int(min(most, max(least, _SAMPLED_WORK / max(1.0, each))))


def _work(timing: ShapeTiming) -> float:
    """Thread-instructions at a shape; 0 where the device measured instead of counting."""
    metrics = (metric for launch in timing.launches for metric in launch.metrics)
    counted = (metric for metric in metrics if metric.provenance is not Provenance.MEASURED)
    return sum(metric.value for metric in counted if metric.name == WORK)


def _message(right: int, sampled: Sequence[tuple[int, Case]], left: Sequence[object], why: str) -> str:
    total = right + len(sampled) + len(left)
    parts = [f"Right at {right} of {total} benchmark shapes."] if right else []
    for blocks, case in sampled:
        parts.append(
            f"At {sizes(case)}, what about {blocks} blocks wrote is right; the others were only counted."
        )
    if left:
        parts.append(f"{len(left)} only counted, not judged: {why}")
    return shorten(" ".join(parts))
