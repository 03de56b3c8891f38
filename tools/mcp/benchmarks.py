"""What benchmark_kernel and compare_kernels answer, from the judge's reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import AliasChoices, BaseModel, Field

from sandbox.verdict import Provenance, Verdict
from tools.mcp.answers import PROVENANCE, FailedCase, JudgeAnswer, NamedNumber, Numbers, Sizes
from tools.mcp.limits import Few, FourDigits, Message, StageMessage
from tools.mcp.translation import describe_failure
from tools.preference import Merit, merit, preferred, too_close
from tools.reports import CheckReport, not_judged_text
from tools.tasks.task import Task


class StageLine(BaseModel):
    """One stage of a judgement."""

    stage: str = Field(validation_alias=AliasChoices("stage", "name"))
    verdict: Verdict
    message: StageMessage
    seconds: float


class BenchShape(BaseModel):
    """Latency at one benchmark shape."""

    dims: Numbers
    latency_us: FourDigits
    baseline_us: FourDigits | None
    provenance: Provenance = Field(description=PROVENANCE)


class BenchmarkAnswer(JudgeAnswer):
    """The whole judgement on one kernel: right or wrong first, then how fast."""

    isolation: str = Field(default="", description="What confined the kernel while it ran.")
    stages: Annotated[list[StageLine], Few] = Field(
        default_factory=list[StageLine], description="In order, each gating the next."
    )
    failed: FailedCase | None = None
    latency_us: FourDigits | None = Field(
        default=None,
        description="Geometric mean over the benchmark shapes; not there unless the kernel is correct.",
    )
    provenance: Provenance = Field(default=Provenance.ESTIMATED, description=PROVENANCE)
    speedup: FourDigits | None = Field(default=None, description="Baseline latency over this latency.")
    bottleneck: str = ""
    roofline_fraction: FourDigits | None = Field(
        default=None, description="Least possible time over this time, 0 to 1."
    )
    shapes: Annotated[list[BenchShape], Few] = Field(default_factory=list[BenchShape])
    tune: Numbers = Field(
        default_factory=list[NamedNumber], description="The tunable values that were judged."
    )
    swept: int = Field(default=0, description="Settings of the tunables that were tried.")
    kernel_sha: str = Field(default="", description="sha256 of the kernel file's text.")
    not_judged: Annotated[list[Sizes], Few] = Field(
        default_factory=list[Sizes],
        description="Bench sizes where nobody knows whether the results are right: they take too much work to"
        " simulate, and were only counted. A pass that names some is no plain pass.",
    )
    sampled: Annotated[list[Sizes], Few] = Field(
        default_factory=list[Sizes],
        description="Bench sizes where only what some blocks wrote was judged.",
    )


class Standing(BaseModel):
    """One kernel among those compared."""

    label: str
    verdict: Verdict
    message: Message
    latency_us: FourDigits | None = Field(description="Not there unless the kernel is correct.")
    provenance: Provenance = Field(description=PROVENANCE)
    not_judged: Annotated[list[Sizes], Few] = Field(
        default_factory=list[Sizes], description="Bench sizes where its results were not judged."
    )
    speedup: FourDigits | None = Field(description="Baseline latency over this latency.")
    slower_than_best: FourDigits | None = Field(
        description="This latency over the best one's; 1 for the best."
    )
    bottleneck: str
    tune: Numbers


class CompareAnswer(JudgeAnswer):
    """Kernels for one task, judged alike and ranked."""

    best: str | None = Field(
        default=None,
        description="Label of the fastest correct kernel; of estimates within 3 percent, of the leanest.",
    )
    standings: list[Standing] = Field(
        default_factory=list[Standing], description="Correct ones first, fastest first."
    )


def describe_benchmark(task: Task, report: CheckReport) -> BenchmarkAnswer:
    """Return what benchmark_kernel answers."""
    right, profile = report.verdict is Verdict.PASS, report.profile
    next_step = (
        "profile_kernel says what limits it; compare_kernels ranks it beside others."
        if right
        else "Repair the kernel, then test_kernel."
    )
    failures = (describe_failure(one) for one in (report.test, report.bench))
    facts = {**vars(report), "task": task.name, "next_step": next_step}
    facts |= {"failed": next(filter(None, failures), None), "provenance": Provenance.ESTIMATED}
    facts |= {"sampled": () if report.bench is None else report.bench.sampled}
    if short := not_judged_text(report.verdict, report.not_judged):
        facts["message"] = f"{report.verdict}{short}: {report.message}"
    if profile is not None:
        known = ("latency_us", "speedup", "shapes") if right else ()
        known += ("provenance", "bottleneck", "roofline_fraction")
        facts |= {name: getattr(profile, name) for name in known}
    return BenchmarkAnswer.model_validate(facts, from_attributes=True)


def describe_comparison(task: Task, reports: Sequence[tuple[str, CheckReport]]) -> CompareAnswer:
    """Return what compare_kernels answers; a wrong kernel has no latency, however fast it is."""
    right = [(label, one) for label, one in reports if one.verdict is Verdict.PASS and _latency(one)]
    right = preferred(right, lambda pair: _merit(pair[1]))
    wrong = [pair for pair in reports if pair not in right]
    best = _latency(right[0][1]) if right else None
    return CompareAnswer(
        verdict=Verdict.PASS if right else reports[0][1].verdict,
        message=f"{len(right)} of {len(reports)} kernels are correct"
        + (f"; {_winner(right)}." if right else "."),
        task=task.name,
        device=reports[0][1].device,
        best=right[0][0] if right else None,
        standings=[_standing(label, one, best) for label, one in (*right, *wrong)],
        next_step="profile_kernel on the best says what limits it."
        if right
        else "Repair one of them, then test_kernel.",
    )


def _merit(report: CheckReport) -> Merit:
    assert report.profile is not None, "only what was timed is ranked"
    return merit(report.profile, report.compile)


def _winner(right: Sequence[tuple[str, CheckReport]]) -> str:
    """Say which kernel is the fastest, or of which others an estimate cannot tell it apart."""
    (best, report), *others = right
    ahead, profile = _latency(report), report.profile
    equal = [
        repr(label)
        for label, one in others
        if ahead and profile is not None and too_close(profile, (_latency(one) or 0.0) / ahead)
    ]
    if not equal:
        return f"{best!r} is the fastest"
    return f"{best!r} comes first, but between it and {', '.join(equal)} the model can tell no difference"


def _standing(label: str, report: CheckReport, best: float | None) -> Standing:
    right, profile = report.verdict is Verdict.PASS, report.profile
    latency = _latency(report) if right else None
    return Standing(
        label=label,
        verdict=report.verdict,
        message=report.message,
        not_judged=[Sizes.model_validate(one) for one in report.not_judged],
        latency_us=latency,
        provenance=profile.provenance if profile else Provenance.ESTIMATED,
        speedup=profile.speedup if right and profile else None,
        slower_than_best=latency / best if latency and best else None,
        bottleneck=profile.bottleneck if profile else "",
        tune=[NamedNumber(name=name, value=value) for name, value in report.tune.items()],
    )


def _latency(report: CheckReport) -> float | None:
    return None if report.profile is None else report.profile.latency_us
