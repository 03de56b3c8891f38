"""The benchmark stage on a device that measures: beside the baseline pair by pair, results of timed runs judged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sandbox.device import Array, Fault, ProfileResult
from sandbox.plan import Plan
from sandbox.timing.measured import PairedTimes, PairTimer, TimedPlan
from sandbox.timing.plausibility import implausible, remembers
from sandbox.timing.schedule import TimingRules
from sandbox.timing.statistics import Ratio, noise_floor, paired_ratio, paired_verdict, summary
from sandbox.verdict import PairedVerdict, Provenance, Verdict
from tools.awaiting import Memo
from tools.judge.comparison import compare
from tools.judge.explanation import explain, shorten
from tools.judge.questions import Oracle, Question
from tools.judge.testing import fresh_seed
from tools.reports import ProfileReport, Timing
from tools.stages.compiling import CompileStage
from tools.stages.profiling import Shape, geometric_mean, least_work, not_compiled, report_of, sizes
from tools.tasks.task import Case, Task

_FEWEST_PAIRS = 10
_MANY_DROPPED = 0.3
_NOISE_SHARE = 0.4
"""Of a timing's limit, for the one of the baseline beside itself."""

_LAUNCH_BOUND = 10.0
"""Below so many times an empty kernel's time, much of a latency is the launch."""

_EXPLAINED_ELEMENTS = 1 << 16


class _FailedError(Exception):
    def __init__(self, verdict: Verdict, message: str, case: Case) -> None:
        super().__init__(message)
        said = shorten(f"At benchmark shape {sizes(case)}: {message}")
        self.report = ProfileReport(verdict, said)


@dataclass(frozen=True)
class _Timed:
    shape: Shape
    baseline_us: float
    ratio: Ratio


@dataclass(frozen=True)
class MeasureStage:
    """Times kernel files on one device; shapes one after the other, for timings must not disturb each other.

    Attributes:
        oracle: Returns what knows a task's answers.
        constants: Returns the constants of a task's error bound, by output.
        deadline_s: Seconds of wall time for one shape.
        secret: Seed of the inputs, the same for all candidates, which cannot know it.
        sets: Sets of inputs that the timed runs alternate between.
    """

    compiling: CompileStage
    timer: PairTimer
    oracle: Callable[[Task], Oracle]
    constants: Callable[[Task], Awaitable[Mapping[str, float]]]
    deadline_s: float = 60.0
    rules: TimingRules = field(default_factory=TimingRules)
    secret: int = field(default_factory=fresh_seed, repr=False)
    sets: int = 3
    _noise: Memo[str, float | None] = field(default_factory=Memo[str, "float | None"], repr=False)

    async def profile(
        self, task: Task, kernel: str, tune: Mapping[str, int] | None = None, *, full: bool = False
    ) -> ProfileReport:
        """Time a kernel file at every benchmark shape, and judge what its timed runs computed.

        Args:
            task: What must be computed.
            kernel: Text of a kernel file.
            tune: Values of the tunables.
            full: Read all counters that there are, not only the usual ones; takes some forty runs.

        Raises:
            WorkerError: A worker ended for no known cause, and so did the one after it.
        """
        timed: list[_Timed] = []
        try:
            for case in task.benches:
                timed.append(await self._time(task, case, kernel, tune, full=full))  # noqa: PERF401  in turn
        except _FailedError as failed:
            return failed.report
        report = report_of(task, [one.shape for one in timed], [one.baseline_us for one in timed])
        return _with_ratio(report, timed)

    async def _time(
        self, task: Task, case: Case, kernel: str, tune: Mapping[str, int] | None, *, full: bool
    ) -> _Timed:
        questions = await self._questions(task, case)
        scalars = questions[0].scalars
        candidate = await self._compiled(task, case, kernel, tune, scalars)
        baseline = await self._compiled(task, case, task.baseline, None, scalars)
        inputs = [_flat(question.inputs) for question in questions]
        times = await self.timer.time_pairs(
            candidate, baseline, inputs, rules=self.rules, deadline_s=self.deadline_s
        )
        _refuse_fault(times, case)
        await self._refuse_wrong(task, case, questions, times)
        latency = summary(times.candidate).median
        await self._refuse_implausible(task, case, latency)
        samples = {name: array[:_EXPLAINED_ELEMENTS] for name, array in inputs[0].items()}
        launches = await self.timer.explain(
            candidate, samples, times.parts, deadline_s=self.deadline_s, full=full
        )
        noise = await self._noise.get(f"{task.sha} {case}", lambda: self._beside_itself(baseline, inputs))
        ratio = paired_ratio(times.baseline, times.candidate)
        result = ProfileResult(None, latency, Provenance.MEASURED, launches)
        shape = Shape(case, result, timing=_timing(times, ratio, noise))
        return _Timed(shape, summary(times.baseline).median, ratio)

    async def _beside_itself(
        self, baseline: TimedPlan, inputs: Sequence[Mapping[str, Array]]
    ) -> float | None:
        """Return the noise floor at a shape; None where there were too few pairs."""
        rules = replace(self.rules, limit_s=_NOISE_SHARE * self.rules.limit_s, kept=1)
        times = await self.timer.time_pairs(
            baseline, baseline, inputs, rules=rules, deadline_s=self.deadline_s
        )
        if times.fault is not None or len(times.candidate) < _FEWEST_PAIRS:
            return None
        return noise_floor(paired_ratio(times.baseline, times.candidate))

    async def _questions(self, task: Task, case: Case) -> list[Question]:
        """Several inputs of one plan: those whose scalars are the first one's."""
        found = [await self.oracle(task).question(case, self.secret + index) for index in range(self.sets)]
        return [question for question in found if question.scalars == found[0].scalars]

    async def _compiled(
        self,
        task: Task,
        case: Case,
        kernel: str,
        tune: Mapping[str, int] | None,
        scalars: Mapping[str, int | float],
    ) -> TimedPlan:
        compiled = await self.compiling.compile(task, kernel, case.dims, tune)
        if compiled.build is None:
            failed = not_compiled(compiled.report, case)
            raise _FailedError(failed.verdict, compiled.report.message, case)
        plan: Plan = compiled.build.plan(scalars)
        return TimedPlan(compiled.build.program, plan)

    async def _refuse_wrong(
        self, task: Task, case: Case, questions: Sequence[Question], times: PairedTimes
    ) -> None:
        constants, oracle = await self.constants(task), self.oracle(task)
        for output in times.outputs:
            question = questions[output.inputs]
            if question.many_answers:
                shaped = {
                    one.name: output.values[one.name].reshape(one.values.shape) for one in question.expected
                }
                reason = await oracle.objection(case, question, shaped)
            else:
                comparisons = [
                    await asyncio.to_thread(
                        compare, output.values[one.name], one, constant=constants.get(one.name, 0.0)
                    )
                    for one in question.expected
                ]
                wrong = any(comparison.wrong for comparison in comparisons)
                reason = explain(comparisons, "timed runs") if wrong else None
            if reason is not None:
                what = f"{output.runs} of {len(times.candidate)} timed runs left a wrong result: {reason}"
                raise _FailedError(Verdict.WRONG_RESULT, what, case)

    async def _refuse_implausible(self, task: Task, case: Case, latency_us: float) -> None:
        ceilings = await self.timer.ceilings()
        if ceilings is None:
            return
        said = implausible(latency_us, *least_work(task, case), ceilings)
        if said is not None:
            raise _FailedError(Verdict.REJECTED, said, case)


def _refuse_fault(times: PairedTimes, case: Case) -> None:
    fault: Fault | None = times.fault
    if fault is not None and times.of_baseline:
        raise _FailedError(
            Verdict.UNSUPPORTED, f"the baseline failed while it was timed: {fault.message}", case
        )
    if fault is not None:
        raise _FailedError(fault.verdict, fault.message, case)
    if len(times.candidate) < _FEWEST_PAIRS:
        why = f"{len(times.candidate)} pairs within the time limit, {times.dropped} dropped for the clock"
        raise _FailedError(Verdict.UNSUPPORTED, f"the timing was inconclusive: {why}", case)


def _flat(inputs: Mapping[str, Array]) -> dict[str, Array]:
    return {name: np.ascontiguousarray(array).reshape(-1) for name, array in inputs.items()}


def _timing(times: PairedTimes, ratio: Ratio, noise: float | None) -> Timing:
    cold, empty = summary(times.candidate), summary(times.empty).median
    return Timing(
        pairs=ratio.pairs,
        speedup=ratio.value,
        speedup_low=ratio.low,
        speedup_high=ratio.high,
        p10_us=cold.p10,
        p90_us=cold.p90,
        warm_us=times.warm,
        gap_us=times.gap,
        empty_us=empty,
        clock_mhz=summary(times.clocks).median,
        dropped=times.dropped,
        judged=len(times.outputs),
        unkept=times.unkept,
        notes=(*_verdict(ratio, noise), *_notes(times, ratio, cold.median, empty)),
        conditions=times.conditions,
        noise=noise,
        against_baseline=paired_verdict(ratio, noise or 0.0),
    )


def _verdict(ratio: Ratio, noise: float | None) -> list[str]:
    if paired_verdict(ratio, noise or 0.0) is not PairedVerdict.INCONCLUSIVE:
        return []
    beside = "" if noise is None else f"; the baseline differs from itself by up to {noise:.2%}"
    return [f"not told apart from the baseline ({ratio.low:.3g} to {ratio.high:.3g} times as fast{beside})"]


def _notes(times: PairedTimes, ratio: Ratio, latency_us: float, empty_us: float) -> list[str]:
    notes: list[str] = []
    if latency_us < _LAUNCH_BOUND * empty_us:
        notes.append(f"an empty kernel takes {empty_us:.3g} us of this: compare warm times")
    notes += times.concerns
    if times.dropped > _MANY_DROPPED * (times.dropped + ratio.pairs):
        notes.append(f"the clock changed during {times.dropped} of {times.dropped + ratio.pairs} pairs")
    if times.unkept:
        notes.append(f"{times.unkept} timed runs left other bits than those judged")
    kept = remembers(times.candidate)
    return [*notes, kept] if kept else notes


def _with_ratio(report: ProfileReport, timed: Sequence[_Timed]) -> ProfileReport:
    speedup = geometric_mean([one.ratio.value for one in timed])
    notes = [note for one in timed if one.shape.timing for note in one.shape.timing.notes]
    message = f"{report.message} Note: {'; '.join(dict.fromkeys(notes))}." if notes else report.message
    return replace(report, speedup=speedup, message=shorten(message))
