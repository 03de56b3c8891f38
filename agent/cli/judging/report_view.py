"""Reports of the tools as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from agent.cli.judging.many import Judged
from agent.cli.output import ByProvenance, clean, one_line, table, verdict_text
from agent.report.figures import latency, microseconds, pairs, speedup
from sandbox.device import LaunchProfile
from sandbox.program import KernelResources
from sandbox.verdict import Verdict
from tools.reports import (
    LAX_RATIO,
    LAX_TOLERANCE,
    CaseReport,
    CheckReport,
    ProfileReport,
    Timing,
    breakdown_text,
    not_judged_text,
    what_if_text,
)

_METRICS_SHOWN = 40
_HOTSPOTS_SHOWN = 5


def show_check(console: Console, report: CheckReport) -> None:
    """Print a judgement: its stages, what was found wrong, its latency, its verdict."""
    console.print(f"task {report.task}   device {report.device}   isolation {report.isolation}")
    if report.tune:
        swept = f" (chosen among {report.swept} settings)" if report.swept else ""
        console.print(f"tunables {pairs(report.tune)}{swept}")
    console.print()
    stages = table("stage", "verdict", ">seconds", "")
    for stage in report.stages:
        message = "" if stage.message == report.message else one_line(stage.message)
        stages.add_row(stage.name, verdict_text(stage.verdict), f"{stage.seconds:.2f}", Text(message))
    console.print(stages)
    if report.compile is not None and report.compile.verdict is Verdict.PASS:
        _show_resources(console, report.compile.resources)
        for remark in report.compile.diagnostics:
            if remark.severity == "remark":
                console.print(Text(f"note: {clean(remark.message)}"))
        for one in report.compile.suspicions:
            where = "" if one.line is None else f" (line {one.line})"
            console.print(Text(f"look at: {clean(one.construct)}{where}: {one.why}"))
    failures = report.test.failures if report.test else ()
    for case in failures:
        if case.first:
            _show_case(console, case)
    if report.profile is not None and report.profile.verdict is Verdict.PASS:
        _show_shapes(console, report.profile)
    console.print()
    short = not_judged_text(report.verdict, report.not_judged)
    console.print(Text.assemble(verdict_text(report.verdict), f"{short}: ", clean(report.message)))
    _show_lines(console, failures[:1])
    for case in failures[1:]:
        console.print(Text.assemble("also ", verdict_text(case.verdict), ": ", clean(case.message)))
        _show_lines(console, (case,))
    if report.proof is not None:
        proof = report.proof
        said = f"proof for {pairs(proof.dims)}: {proof.opinion}: {clean(proof.message)}"
        console.print(Text(said))


def show_suite(console: Console, judged: Sequence[Judged]) -> None:
    """Print many judgements: a line each, what was found wrong below, and how many are right."""
    reports = [one.report for one in judged if one.report is not None]
    profiles = [one.profile for one in reports if one.profile is not None]
    columns = ByProvenance("us", (one.provenance for one in profiles))
    made = table("!kernel", "task", "verdict", *columns.heads, ">speedup")
    for one in judged:
        profile = None if one.report is None or one.latency_us is None else one.report.profile
        cells = (
            [""] * len(columns.heads)
            if profile is None or one.latency_us is None
            else columns.cells(microseconds(one.latency_us), profile.provenance)
        )
        made.add_row(
            str(one.kernel),
            one.task,
            Text.assemble(verdict_text(one.verdict), one.short),
            *cells,
            speedup(None if profile is None else profile.speedup),
        )
    console.print(made)
    for one in judged:
        if not one.ok:
            file, line = one.place
            console.print(Text(f"{file}:{line}: {clean(one.message)}"), soft_wrap=True)
    console.print(f"{sum(one.ok for one in judged)} of {len(judged)} kernels are right")


def show_profile(console: Console, report: ProfileReport, *, device: str) -> None:
    """Print a profile: latency a shape beside the baseline, and the metrics of each launch."""
    console.print(f"device {device}")
    _show_shapes(console, report)
    for shape in report.shapes[:1]:
        for launch in shape.launches:
            _show_launch(console, launch, pairs(shape.dims))
    console.print()
    console.print(Text.assemble(verdict_text(report.verdict), ": ", clean(report.message)))


def _show_resources(console: Console, resources: tuple[KernelResources, ...]) -> None:
    made = table("kernel", ">registers", ">shared bytes", ">spilled bytes")
    for kernel in resources:
        spilled = kernel.spill_bytes
        made.add_row(kernel.name, str(kernel.registers), str(kernel.shared_bytes), str(spilled))
    console.print()
    console.print(made)


def _show_case(console: Console, case: CaseReport) -> None:
    console.print()
    console.print(f"case {pairs(case.dims)}   seed {case.seed}")
    console.print(f"{case.wrong} of {case.total} elements wrong, {case.unwritten} of them never written")
    made = table("output", "index", ">got", ">expected", ">error bound")
    for wrong in case.first:
        index = ", ".join(map(str, wrong.index))
        made.add_row(wrong.output, index, _element(wrong.got), _element(wrong.expected), f"{wrong.bound:.2g}")
    console.print(made)
    if case.closeness is not None and case.closeness.lax_pass():
        console.print(
            f"SOL-ExecBench and flashinfer-bench would let it pass: {LAX_RATIO:.0%} of the elements are within"
            f" {LAX_TOLERANCE} + {LAX_TOLERANCE} * |expected|",
            soft_wrap=True,
        )


def _show_lines(console: Console, cases: Sequence[CaseReport]) -> None:
    for line in [line for case in cases for line in case.lines]:
        console.print(Text(f"  {line.number:>5} | {clean(line.text)}"))


def _count(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4f}"


def _element(value: float | int | str) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _show_shapes(console: Console, report: ProfileReport) -> None:
    ours = ByProvenance("us", (shape.provenance for shape in report.shapes))
    theirs = [f">baseline {head.lstrip('>')}" for head in ours.heads]
    made = table("shape", *ours.heads, *theirs, ">speedup")
    for shape in report.shapes:
        baseline = "-" if shape.baseline_us is None else microseconds(shape.baseline_us)
        ratio = None if shape.baseline_us is None else shape.baseline_us / shape.latency_us
        ratio = ratio if shape.timing is None else shape.timing.speedup
        made.add_row(
            pairs(shape.dims),
            *ours.cells(microseconds(shape.latency_us), shape.provenance),
            *ours.cells(baseline, shape.provenance),
            speedup(ratio),
        )
    console.print()
    console.print(made)
    for shape in report.shapes:
        if shape.timing is not None:
            console.print(f"{pairs(shape.dims)}: {_measured(shape.timing)}")


def _measured(found: Timing) -> str:
    """How sure a measured speed-up is, and what else was measured."""
    parts = [
        f"{found.speedup_low:.3g} to {found.speedup_high:.3g} times as fast (95%, {found.pairs} pairs)",
        f"8 of 10 samples in {microseconds(found.p10_us)} to {microseconds(found.p90_us)} us",
        f"empty kernel {microseconds(found.empty_us)} us",
    ]
    if found.warm_us is not None:
        parts.append(f"warm {microseconds(found.warm_us)} us")
    if found.noise is not None:
        parts.append(f"the baseline beside itself within {found.noise:.2%}")
    parts.append(f"{found.clock_mhz:.0f} MHz")
    return ", ".join([*parts, *found.notes])


def _show_launch(console: Console, launch: LaunchProfile, shape: str) -> None:
    console.print()
    sampled = launch.sampled_blocks < launch.total_blocks
    blocks = (
        f"{launch.sampled_blocks} of {launch.total_blocks} blocks"
        if sampled
        else f"{launch.total_blocks} blocks"
    )
    console.print(
        f"{launch.kernel} (line {launch.line}), {shape}: {latency(launch.latency_us, launch.provenance)}, "
        f"{blocks}, bound by {launch.bottleneck}"
    )
    if launch.breakdown is not None:
        console.print(f"needs, in us: {breakdown_text(launch.breakdown)}")
        if gains := what_if_text(launch.breakdown):
            console.print(f"if only this changed: {gains}")
    _show_hotspots(console, launch)
    values = ByProvenance("", (metric.provenance for metric in launch.metrics))
    made = table("metric", *values.heads, "unit")
    for metric in launch.metrics[:_METRICS_SHOWN]:
        made.add_row(metric.name, *values.cells(_count(metric.value), metric.provenance), metric.unit)
    console.print(made)
    if launch.note:
        console.print(clean(f"counters: {launch.note}"), soft_wrap=True)
    if (left := len(launch.metrics) - _METRICS_SHOWN) > 0:
        console.print(f"{left} more metrics with --json")


def _show_hotspots(console: Console, launch: LaunchProfile) -> None:
    for hot in launch.hotspots[:_HOTSPOTS_SHOWN]:
        if hot.line is not None:
            said = f"{hot.value:.4g} {hot.what}, {hot.share:.0%} of the launch's"
            console.print(Text(f"  {hot.line:>5} | {clean(hot.text)}   <- {said}"))
