"""The benchmark and profile stages: latency and counts at the benchmark shapes, beside the baseline's."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sandbox.budget import Budget, Work
from sandbox.device import Bottleneck, Device, ProfileResult
from sandbox.devices.simulated import ceilings_of
from sandbox.plan import Plan
from sandbox.timing.plausibility import implausible
from sandbox.verdict import Provenance, Verdict
from tools import expressions
from tools.awaiting import Memo, both, together
from tools.judge.explanation import shorten
from tools.judge.questions import Samples
from tools.preference import indistinct
from tools.reports import CompileReport, ProfileReport, ShapeTiming, Timing, confidence_text, sizes_text
from tools.stages.compiling import CompileStage
from tools.tasks.task import Case, Task

COUNTING = Budget(120.0, Work(20_000_000_000, 4_000_000))
"""What counting a benchmark shape may cost: work first, so that no machine is too busy for what another counts."""

_LAUNCHES = 256
"""Profiles of launches that are remembered; one takes some hundred kilobytes."""

Sampler = Callable[[Task, Case], Samples]
"""Returns what a benchmark case's buffers are filled with; the same for every candidate."""


OUT_OF_TIME = frozenset({Verdict.TIMEOUT, Verdict.UNDECIDED})
"""What says nothing against a kernel at a benchmark shape: it was right at the sizes that are judged."""


@dataclass(frozen=True)
class ProfileStage:
    """Profiles kernel files on one device.

    Attributes:
        budget: What counting one shape may cost; of `seconds` a GPU makes a deadline.
        repeatable: Whether the device gives the same numbers for the same code each time (the simulator
            does); then code that was profiled before is not profiled again.
    """

    compiling: CompileStage
    device: Device
    sampler: Sampler
    budget: Budget = COUNTING
    repeatable: bool = False
    _seen: Memo[tuple[str, str, Plan], ProfileResult] = field(
        default_factory=lambda: Memo[tuple[str, str, Plan], ProfileResult](
            _LAUNCHES, size=lambda one: 1 + len(one.launches)
        ),
        repr=False,
    )
    _baselines: Memo[str, tuple[float | None, ...]] = field(
        default_factory=Memo[str, "tuple[float | None, ...]"], repr=False
    )

    async def profile(
        self, task: Task, kernel: str, tune: Mapping[str, int] | None = None, *, full: bool = False
    ) -> ProfileReport:
        """Time a kernel file at every benchmark shape; says nothing of its correctness.

        Args:
            task: What must be computed.
            kernel: Text of a kernel file.
            tune: Values of the tunables.
            full: Makes no difference here: all that is counted is always told.

        Raises:
            WorkerDiedError: A worker ended for no known cause, and so did the one after it.
        """
        timed, baseline = await both(self._time(task, kernel, tune), self.baseline(task))
        failure = next((shape.failure for shape in timed if shape.failure is not None), None)
        return failure or report_of(task, timed, baseline)

    async def baseline(self, task: Task) -> tuple[float | None, ...]:
        """Return the baseline's latency at every benchmark shape, microseconds; None where it has none.

        It is measured once for each task and device.
        """
        return await self._baselines.get(task.sha, lambda: self._time_baseline(task))

    async def _time_baseline(self, task: Task) -> tuple[float | None, ...]:
        return tuple(shape.result.latency_us for shape in await self._time(task, task.baseline, None))

    async def _time(self, task: Task, kernel: str, tune: Mapping[str, int] | None) -> list[Shape]:
        return await together(self.time(task, case, kernel, tune) for case in task.benches)

    async def time(
        self, task: Task, case: Case, kernel: str, tune: Mapping[str, int] | None, *, whole: bool = False
    ) -> Shape:
        """Time a kernel file at one benchmark shape.

        Args:
            task: What must be computed.
            case: At which sizes.
            kernel: Text of a kernel file.
            tune: Values of the tunables.
            whole: Count every block and not a sample, where the device counts.
        """
        compiled = await self.compiling.compile(task, kernel, case.dims, tune)
        if compiled.build is None:
            return Shape(case, ProfileResult(None), failure=not_compiled(compiled.report, case))
        samples = await asyncio.to_thread(self.sampler, task, case)
        program = compiled.build.program
        plan = replace(compiled.build.plan(samples.scalars), whole=whole)

        async def profile() -> ProfileResult:
            return await self.device.profile(program, plan, samples.buffers, budget=self.budget)

        if self.repeatable:
            result = await self._seen.get(
                (f"{task.sha} {case}", compiled.report.ptx_key, plan),
                profile,
                keep=lambda one: one.fault is None,
            )
        else:
            result = await profile()
        return Shape(
            case, with_text(result, kernel), _fault(result, case) or self._implausible(task, case, result)
        )

    def _implausible(self, task: Task, case: Case, result: ProfileResult) -> ProfileReport | None:
        """Refuse an estimate below what the task's own cost takes at peak rates: it says nothing of the kernel."""
        ceilings = ceilings_of(self.device.name, (argument.dtype for argument in task.arguments))
        if ceilings is None or result.latency_us is None:
            return None
        said = implausible(result.latency_us, *least_work(task, case), ceilings)
        if said is None:
            return None
        return ProfileReport(
            Verdict.UNDECIDED, shorten(f"Not timed. At benchmark shape {sizes(case)}: implausible: {said}")
        )


def least_work(task: Task, case: Case) -> tuple[float, float]:
    """Return the least bytes that a task moves at one of its cases, and the least operations it takes."""
    moved, flops = (expressions.parse(text).evaluate(dict(case.dims)) for text in (task.bytes, task.flops))
    return float(moved), float(flops)


def with_text(result: ProfileResult, kernel: str) -> ProfileResult:
    """Add the text of the lines that cost most, from the kernel file."""
    lines = dict(enumerate(kernel.splitlines(), 1))
    launches = [
        replace(
            launch,
            hotspots=tuple(
                replace(hot, text="" if hot.line is None else lines.get(hot.line, "").strip())
                for hot in launch.hotspots
            ),
        )
        for launch in result.launches
    ]
    return replace(result, launches=tuple(launches))


@dataclass(frozen=True)
class Shape:
    """What timing at one benchmark shape gave; `failure` where it gave nothing."""

    case: Case
    result: ProfileResult
    failure: ProfileReport | None = None
    timing: Timing | None = None


def geometric_mean(values: Sequence[float]) -> float | None:
    """Return the geometric mean of positive numbers; None of none, or where one is not positive."""
    if not values or min(values) <= 0:
        return None
    return math.exp(math.fsum(math.log(value) for value in values) / len(values))


def sizes(case: Case) -> str:
    """Return a shape in words."""
    return sizes_text(case.dims) or "the only shape"


def not_compiled(report: CompileReport, case: Case) -> ProfileReport:
    """Return the report of a kernel that does not compile at a shape."""
    return ProfileReport(report.verdict, shorten(f"At benchmark shape {sizes(case)}: {report.message}"))


def _fault(result: ProfileResult, case: Case) -> ProfileReport | None:
    if result.fault is not None:
        verdict, message = result.fault.verdict, f"At benchmark shape {sizes(case)}: {result.fault.message}"
        if verdict in OUT_OF_TIME:
            verdict, message = Verdict.UNDECIDED, f"Not timed. {message}"
        return ProfileReport(verdict, shorten(message))
    if result.latency_us is None:
        return ProfileReport(Verdict.UNSUPPORTED, f"The device gave no latency at {sizes(case)}.")
    return None


def report_of(task: Task, timed: Sequence[Shape], baseline: Sequence[float | None]) -> ProfileReport:
    """Return the report on all shapes, the baseline's latencies beside them."""
    shapes = tuple(
        ShapeTiming(
            shape.case.dims, latency, shape.result.provenance, base, shape.result.launches, shape.timing
        )
        for shape, base in zip(timed, baseline, strict=True)
        if (latency := shape.result.latency_us) is not None
    )
    latency = geometric_mean([shape.latency_us for shape in shapes])
    if latency is None:
        return ProfileReport(Verdict.PASS, f"Task {task.name} names no benchmark shape: nothing was timed.")
    ratios = [shape.baseline_us / shape.latency_us for shape in shapes if shape.baseline_us]
    report = ProfileReport(
        Verdict.PASS,
        "",
        latency,
        _provenance(shapes),
        geometric_mean(ratios) if len(ratios) == len(shapes) else None,
        shapes,
        *_bound(shapes),
    )
    return replace(report, message=_message(report))


def _provenance(shapes: Sequence[ShapeTiming]) -> Provenance:
    """Return MEASURED only where every number is; a latency is never COUNTED."""
    measured = all(shape.provenance is Provenance.MEASURED for shape in shapes)
    return Provenance.MEASURED if measured else Provenance.ESTIMATED


def _bound(shapes: Sequence[ShapeTiming]) -> tuple[Bottleneck, float | None, float | None]:
    """Return what bounds the longest launch of the slowest shape, the roofline fraction of all, and that one's error.

    The fraction is the mean over launches weighted by their time: least possible time over time taken.
    """
    launches = [launch for shape in shapes for launch in shape.launches]
    total = math.fsum(launch.latency_us for launch in launches)
    if not total:
        return Bottleneck.UNKNOWN, None, None
    slowest = max(shapes, key=lambda shape: shape.latency_us)
    longest = max(slowest.launches, key=lambda launch: launch.latency_us, default=launches[0])
    least = math.fsum(launch.roofline_fraction * launch.latency_us for launch in launches)
    # Without rates of the GPU to compare with every fraction is 0: that is no knowledge of a roofline.
    error = None if longest.breakdown is None else longest.breakdown.error
    return longest.bottleneck, least / total if least else None, error


def _message(report: ProfileReport) -> str:
    parts = [f"{report.latency_us:.4g} us {report.provenance}"]
    if report.speedup is not None and indistinct(report):
        parts.append("no difference from the baseline that the model could tell")
    elif report.speedup is not None:
        parts.append(f"{report.speedup:.3g} times as fast as the baseline")
    if report.bottleneck:
        parts.append(f"bound by {report.bottleneck}")
    if report.roofline_fraction is not None:
        parts.append(f"{report.roofline_fraction:.0%} of its roofline")
    if said := confidence_text(report.error, report.bottleneck):
        parts.append(f"error {said}")
    text = ", ".join(parts)
    return (
        f"{text} (geometric mean of {len(report.shapes)} shapes)." if len(report.shapes) > 1 else f"{text}."
    )
