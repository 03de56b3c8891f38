"""From what the tools say of one kernel to its account."""

from __future__ import annotations

from typing import Literal

from agent.report.account import (
    CostlyLine,
    FailureFact,
    Figure,
    KernelAccount,
    PartFigure,
    ResourceLine,
    SettingFigure,
    ShapeFigure,
    WhatIfFigure,
    WrongValue,
)
from agent.report.judgement import judged, not_judged
from sandbox.device import LaunchProfile
from sandbox.verdict import Provenance, Verdict
from tools.reports import CaseReport, CheckReport, CompileReport, ShapeTiming, cause_text

_DRAM = ("dram__bytes_read.sum", "dram__bytes_write.sum")
_LAUNCH = "launch"


def kernel_account(
    report: CheckReport,
    name: Literal["baseline", "parent", "best", "kernel"],
    text: str | None,
    *,
    place: str = "",
    features: tuple[str, ...] = (),
) -> KernelAccount:
    """Return the account of a judged kernel.

    Args:
        report: Of the check.
        name: What it is in the report.
        text: Of the kernel file.
        place: `ROUND/CANDIDATE`.
        features: What it was to try.
    """
    profile = report.profile if report.verdict is Verdict.PASS else None
    shape = profile.shapes[-1] if profile is not None and profile.shapes else None
    origin = report.provenance if profile is None else profile.provenance
    launches = () if shape is None else shape.launches
    return KernelAccount(
        name=name,
        place=place,
        features=features,
        verdict=report.verdict,
        message=report.message,
        sha=report.kernel_sha,
        text=text,
        tune=report.tune,
        latency=None if profile is None else _figure(profile.latency_us, "us", origin),
        speedup=None if profile is None else _figure(profile.speedup, "x", origin),
        roofline=None if profile is None else _figure(profile.roofline_fraction, "of roofline", origin),
        bottleneck="" if profile is None else str(profile.bottleneck),
        error=None if profile is None else profile.error,
        shapes=() if profile is None else tuple(_shape(one) for one in profile.shapes),
        held_out=() if report.final is None else tuple(_shape(one) for one in report.final.shapes),
        held_out_speedup=None
        if report.final is None
        else _figure(report.final.speedup, "x", report.final.provenance),
        shape={} if shape is None else shape.dims,
        parts=_parts(launches),
        least=_least(launches),
        dram_bytes=_dram_bytes(launches),
        what_ifs=tuple(_what_ifs(launches)),
        costly=tuple(_costly(launches)),
        settings=_settings(report, origin),
        resources=_resources(report.compile),
        stages=report.stages,
        failures=tuple(_failure(case) for case in (report.test.failures if report.test else ())),
        judged=judged(report),
        not_judged=not_judged(report),
    )


def _figure(value: float | None, unit: str, provenance: Provenance) -> Figure | None:
    return None if value is None else Figure(value=value, unit=unit, provenance=provenance)


def _us(value: float, provenance: Provenance) -> Figure:
    return Figure(value=value, unit="us", provenance=provenance)


def _shape(shape: ShapeTiming) -> ShapeFigure:
    timing, baseline = shape.timing, shape.baseline_us
    ratio = None if baseline is None else baseline / shape.latency_us
    return ShapeFigure(
        dims=shape.dims,
        latency=_us(shape.latency_us, shape.provenance),
        baseline=_figure(baseline, "us", shape.provenance),
        speedup=_figure(ratio if timing is None else timing.speedup, "x", shape.provenance),
        interval=None if timing is None else (timing.speedup_low, timing.speedup_high),
    )


def _parts(launches: tuple[LaunchProfile, ...]) -> tuple[PartFigure, ...]:
    """Return what each resource needs over all launches, the largest first, then what launching costs."""
    needs: dict[str, float] = {}
    for launch in launches:
        if launch.breakdown is not None:
            for part in launch.breakdown.parts:
                needs[str(part.resource)] = needs.get(str(part.resource), 0.0) + part.us
    if not needs:
        return ()
    ordered = sorted(needs.items(), key=lambda one: (-one[1], one[0]))
    cost = sum(launch.breakdown.launch_us for launch in launches if launch.breakdown is not None)
    return tuple(
        PartFigure(resource=name, time=_us(us, Provenance.ESTIMATED))
        for name, us in [*ordered, (_LAUNCH, cost)]
    )


def _least(launches: tuple[LaunchProfile, ...]) -> Figure | None:
    known = [launch.breakdown.least_us for launch in launches if launch.breakdown is not None]
    return _us(sum(known), Provenance.ESTIMATED) if known and len(known) == len(launches) else None


def _dram_bytes(launches: tuple[LaunchProfile, ...]) -> float | None:
    moved = [metric.value for launch in launches for metric in launch.metrics if metric.name in _DRAM]
    return sum(moved) if moved else None


def _what_ifs(launches: tuple[LaunchProfile, ...]) -> list[WhatIfFigure]:
    return [
        WhatIfFigure(
            launch=launch.kernel,
            change=cause_text(one.cause),
            time=_us(one.latency_us, Provenance.ESTIMATED),
        )
        for launch in launches
        if launch.breakdown is not None
        for one in launch.breakdown.what_ifs
    ]


def _costly(launches: tuple[LaunchProfile, ...]) -> list[CostlyLine]:
    return [
        CostlyLine(
            launch=launch.kernel,
            line=hot.line,
            text=hot.text,
            what=hot.what,
            value=hot.value,
            share=hot.share,
            provenance=launch.provenance,
        )
        for launch in launches
        for hot in launch.hotspots
        if hot.line is not None
    ]


def _settings(report: CheckReport, provenance: Provenance) -> tuple[SettingFigure, ...]:
    return tuple(
        SettingFigure(
            tune=one.tune,
            verdict=one.verdict,
            latency=_figure(one.latency_us, "us", provenance),
            registers=one.registers,
            spilled=one.spilled,
            message=one.message,
        )
        for one in report.settings
    )


def _resources(report: CompileReport | None) -> tuple[ResourceLine, ...]:
    return tuple(
        ResourceLine(
            kernel=one.name,
            registers=one.registers,
            shared_bytes=one.shared_bytes,
            spilled_bytes=one.spill_bytes,
        )
        for one in (() if report is None else report.resources)
    )


def _failure(case: CaseReport) -> FailureFact:
    return FailureFact(
        verdict=case.verdict,
        dims=case.dims,
        message=case.message,
        lines=tuple((line.number, line.text) for line in case.lines),
        first=tuple(
            WrongValue(
                output=one.output,
                index=one.index,
                got=_element(one.got),
                expected=_element(one.expected),
                bound=one.bound,
            )
            for one in case.first
        ),
    )


def _element(value: float | int | str) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)
