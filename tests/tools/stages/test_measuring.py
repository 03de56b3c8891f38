"""The benchmark stage on a device that measures, with the real compiler and scripted times."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from sandbox.device import Fault, LaunchProfile
from sandbox.timing.measured import PairedTimes, TimedOutput, TimedPlan
from sandbox.timing.plausibility import Ceilings
from sandbox.timing.schedule import TimingRules
from sandbox.verdict import PairedVerdict, Provenance, Verdict
from tests.compiling import InProcess
from tools.judge.comparison import Expectation
from tools.judge.questions import Posed, Question
from tools.reports import ProfileReport
from tools.stages.compiling import CompileStage
from tools.stages.measuring import MeasureStage
from tools.tasks.task import Case, Task

PAIRS = 30
SPARED = Ceilings(1e12, 1e15, "a rate of the test's")


class Doubles:
    """Knows twice a vector."""

    async def question(self, case: Case, seed: int) -> Question:
        x = np.random.default_rng(seed).random(case.dims["n"], np.float32)
        return Question(
            {"x": x}, (Expectation("y", "float32", 2.0 * x.astype(np.float64), np.abs(x).astype(np.float64)),)
        )

    async def pose(self, case: Case, seed: int) -> Posed:
        raise AssertionError

    async def objection(self, case: Case, question: Question, outputs: Mapping[str, Any]) -> str | None:
        return None


@dataclass
class Scripted:
    """A device that takes 10 us where the baseline takes 20, and computes by a function."""

    computes: Callable[[Any], Any] = lambda x: 2 * x
    changes: dict[str, Any] = field(default_factory=dict)
    itself: tuple[float, ...] = (20.0,) * PAIRS
    ceiling: Ceilings | None = SPARED
    fraction: float = 0.5
    asked: list[tuple[TimedPlan, TimedPlan | None, int]] = field(default_factory=list)

    async def time_pairs(
        self,
        candidate: TimedPlan,
        baseline: TimedPlan | None,
        inputs: Sequence[Mapping[str, Any]],
        *,
        rules: TimingRules,
        deadline_s: float,
    ) -> PairedTimes:
        beside_itself = rules.kept == 1
        self.asked.append((candidate, baseline, len(inputs)))
        if beside_itself:
            assert candidate == baseline
            return PairedTimes(None, candidate=(20.0,) * len(self.itself), baseline=self.itself)
        outputs = tuple(
            TimedOutput(index, PAIRS // len(inputs), {"y": self.computes(given["x"]).astype(np.float32)})
            for index, given in enumerate(inputs)
        )
        times = PairedTimes(
            None, False, (10.0,) * PAIRS, (20.0,) * PAIRS, (0.5,) * 3, (10.0,), 8.0, 16.0, 1.0, (1500.0,) * PAIRS,
            outputs=outputs,
        )  # fmt: skip
        return replace(times, **self.changes)

    async def explain(
        self,
        timed: TimedPlan,
        inputs: Mapping[str, Any],
        parts: Sequence[float],
        *,
        deadline_s: float,
        full: bool = False,
    ) -> tuple[LaunchProfile, ...]:
        launch = timed.plan.launches[0]
        return (
            LaunchProfile(
                launch.kernel, launch.line, parts[0], Provenance.MEASURED, "dram", self.fraction, 1, 1
            ),
        )

    async def ceilings(self) -> Ceilings | None:
        return self.ceiling


@pytest.fixture
def compiler() -> InProcess:
    return InProcess()


async def measured(
    compiler: InProcess, timer: Scripted, task: Task, kernel: str | None = None
) -> ProfileReport:
    async def constants(task: Task) -> Mapping[str, float]:
        return {"y": 8.0}

    stage = MeasureStage(CompileStage(compiler, "sm_90"), timer, lambda task: Doubles(), constants)
    return await stage.profile(task, task.baseline if kernel is None else kernel)


async def test_a_measured_report_has_the_paired_ratio_with_its_interval(
    compiler: InProcess, doubling: Task
) -> None:
    timer = Scripted()
    report = await measured(compiler, timer, doubling)
    assert (report.verdict, report.provenance) == (Verdict.PASS, Provenance.MEASURED)
    assert (report.latency_us, report.speedup) == (pytest.approx(10), pytest.approx(2))
    assert (report.bottleneck, report.roofline_fraction) == ("dram", 0.5)
    assert report.message.startswith("10 us measured, 2 times as fast as the baseline")
    assert [shape.baseline_us for shape in report.shapes] == [20, 20]
    timing = report.shapes[0].timing
    assert timing is not None
    assert (timing.pairs, timing.judged, timing.warm_us, timing.gap_us, timing.empty_us) == (
        30,
        3,
        8.0,
        1.0,
        0.5,
    )
    assert (timing.speedup_low, timing.speedup_high, timing.notes) == (pytest.approx(2), pytest.approx(2), ())
    assert [sets for _, baseline, sets in timer.asked if baseline is not None] == [3, 3, 3, 3]
    assert timing.noise == pytest.approx(0)


async def test_a_roofline_that_nobody_measured_is_not_mentioned(compiler: InProcess, doubling: Task) -> None:
    report = await measured(compiler, Scripted(fraction=0.0), doubling)
    assert report.roofline_fraction is None
    assert "roofline" not in report.message


async def test_timed_runs_may_share_one_set_of_inputs_where_answers_take_too_long(
    compiler: InProcess, doubling: Task
) -> None:
    async def constants(task: Task) -> Mapping[str, float]:
        return {"y": 8.0}

    timer = Scripted()
    stage = MeasureStage(CompileStage(compiler, "sm_90"), timer, lambda task: Doubles(), constants, sets=1)
    report = await stage.profile(doubling, doubling.baseline)
    assert report.verdict is Verdict.PASS
    assert {sets for _, _, sets in timer.asked} == {1}


async def test_a_wrong_result_of_a_timed_run_is_a_wrong_result_however_fast(
    compiler: InProcess, doubling: Task
) -> None:
    def sometimes(x: Any) -> Any:
        return 2 * x if x[0] < 0.5 else 0 * x

    reports = [await measured(compiler, Scripted(sometimes), doubling) for _ in range(8)]
    wrong = [report for report in reports if report.verdict is Verdict.WRONG_RESULT]
    assert wrong
    assert "n=4096" in wrong[0].message or "n=8192" in wrong[0].message
    assert "of 30 timed runs left a wrong result" in wrong[0].message
    assert (
        await measured(compiler, Scripted(lambda x: np.full_like(x, np.nan)), doubling)
    ).verdict is Verdict.WRONG_RESULT


async def test_a_time_below_the_roofline_is_rejected_with_the_arithmetic(
    compiler: InProcess, doubling: Task
) -> None:
    slow = Ceilings(1e9, 1e15, "a rate of the test's")
    report = await measured(compiler, Scripted(ceiling=slow), doubling)
    assert report.verdict is Verdict.REJECTED
    assert "10 us cannot be" in report.message
    assert "takes 32.77 us" in report.message
    assert (await measured(compiler, Scripted(ceiling=None), doubling)).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("changes", "verdict", "said"),
    [
        ({"fault": Fault(Verdict.MEMORY_FAULT, "wrote outside y")}, Verdict.MEMORY_FAULT, "wrote outside y"),
        (
            {"fault": Fault(Verdict.TIMEOUT, "slow"), "of_baseline": True},
            Verdict.UNSUPPORTED,
            "the baseline failed",
        ),
        ({"candidate": (10.0,) * 4, "baseline": (20.0,) * 4}, Verdict.UNSUPPORTED, "inconclusive: 4 pairs"),
    ],
)
async def test_what_ends_a_timing_is_the_report(
    compiler: InProcess, doubling: Task, changes: dict[str, Any], verdict: Verdict, said: str
) -> None:
    report = await measured(compiler, Scripted(changes=changes), doubling)
    assert report.verdict is verdict
    assert said in report.message


async def test_what_gives_pause_is_noted(compiler: InProcess, doubling: Task) -> None:
    changes = {
        "baseline": (10.0,) * PAIRS, "empty": (5.0,), "dropped": 30, "unkept": 2, "concerns": ("clocks held back by power cap",),
        "candidate": (11.0,) * 10 + (10.0,) * 10 + (8.0,) * 10,
    }  # fmt: skip
    report = await measured(compiler, Scripted(changes=changes), doubling)
    timing = report.shapes[0].timing
    assert timing is not None
    for said in (
        "not told apart",
        "an empty kernel takes 5 us",
        "during 30 of 60",
        "2 timed runs left",
        "results kept",
        "power cap",
    ):
        assert any(said in note for note in timing.notes), said
    assert "Note: not told apart" in report.message
    assert report.against_baseline is PairedVerdict.INCONCLUSIVE


async def test_a_gain_within_what_the_baseline_differs_from_itself_is_no_gain(
    compiler: InProcess, doubling: Task
) -> None:
    other = doubling.baseline + "// the same"
    gains = {"candidate": (19.8,) * PAIRS}
    noisy = Scripted(changes=gains, itself=(20.4,) * PAIRS)
    report = await measured(compiler, noisy, doubling, other)
    timing = report.shapes[0].timing
    assert timing is not None
    assert timing.speedup_low > 1
    assert timing.noise == pytest.approx(0.02)
    assert "differs from itself by up to 2.00%" in timing.notes[0]
    quiet = await measured(compiler, Scripted(changes=gains, itself=(20.02,) * PAIRS), doubling, other)
    assert quiet.shapes[0].timing is not None
    assert quiet.shapes[0].timing.notes == ()
    few = await measured(compiler, Scripted(changes=gains, itself=(20.0,) * 4), doubling, other)
    assert few.shapes[0].timing is not None
    assert few.shapes[0].timing.noise is None


async def test_a_kernel_that_does_not_compile_says_at_which_shape(
    compiler: InProcess, doubling: Task
) -> None:
    report = await measured(compiler, Scripted(), doubling, doubling.baseline.replace("2", "two", 1))
    assert report.verdict is not Verdict.PASS
    assert report.latency_us is None
