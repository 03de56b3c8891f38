"""How a kernel was judged and what was left out, in sentences made from the tools' typed reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sandbox.verdict import Provenance, Verdict
from tools.reports import CheckReport, TestReport, sizes_text


def judged(report: CheckReport) -> tuple[str, ...]:
    """Return how a kernel was judged, a sentence each."""
    said: list[str] = []
    if report.test is not None:
        said.append(f"{_inputs(report.test)} against the float64 reference{_largest(report.test)}.")
    if report.bench is not None:
        whole = [case for case in report.bench.cases if case.verdict is Verdict.PASS]
        shapes = f"{len(whole)} of {max(report.bench.cases_total, len(report.bench.cases))} benchmark shapes"
        said.append(f"Results at {shapes} were right as well{_largest(report.bench)}.")
    if report.hazards is not None:
        said.append(
            f"Hazards looked for by {', '.join(report.hazards.tools) or 'no tool'}: {report.hazards.message}."
        )
    if report.proof is not None:
        dims = sizes_text(report.proof.dims)
        said.append(f"Races in every schedule at {dims}: {report.proof.opinion} ({report.proof.message}).")
    if report.swept:
        said.append(f"{report.swept} settings of the tunables tried, the best correct one kept.")
    said.append(f"Isolation of the kernel: {report.isolation or 'unknown'}.")
    return tuple(said)


def not_judged(report: CheckReport) -> tuple[str, ...]:
    """Return what was not judged, a sentence each."""
    said: list[str] = []
    if report.test is None:
        said.append("Results: no test was reached.")
    if report.bench is None:
        said.append("Results at the benchmark shapes: not compared in this judgement.")
    if report.not_judged:
        said.append(f"Results at {_shapes(report.not_judged)}: timed or counted, never compared.")
    said.extend(
        f"At {_shapes(tested.sampled)} only what a sample of blocks wrote was compared."
        for tested in (report.test, report.bench)
        if tested is not None and tested.sampled
    )
    if report.hazards is None:
        said.append("Hazards by the device's own tools: not asked for.")
    if report.proof is None:
        said.append("Races in schedules that no run showed: no proof was asked for.")
    if report.profile is None or report.verdict is not Verdict.PASS:
        said.append("Latency: only a correct kernel is timed.")
    elif report.profile.provenance is Provenance.ESTIMATED:
        said.append(
            "Latency on hardware: no GPU ran this kernel; every latency here is estimated by a cost model."
        )
        said.extend(_sampled(report))
    if report.baseline:
        said.append(f"The task's own baseline is faulty, so the least error bound held: {report.baseline}")
    return tuple(said)


def _sampled(report: CheckReport) -> list[str]:
    shapes = () if report.profile is None else report.profile.shapes
    return [
        f"The estimate of {launch.kernel} at {sizes_text(shape.dims)} is from {launch.sampled_blocks} of"
        f" {launch.total_blocks} blocks."
        for shape in shapes
        for launch in shape.launches
        if launch.sampled_blocks < launch.total_blocks
    ]


def _inputs(tested: TestReport) -> str:
    passed = sum(case.verdict is Verdict.PASS for case in tested.cases)
    return f"{passed} of {max(tested.cases_total, len(tested.cases))} test inputs passed"


def _largest(tested: TestReport) -> str:
    ratios = [case.worst_ratio for case in tested.cases if case.worst_ratio is not None]
    return f"; the largest error was {max(ratios):.3g} of its bound" if ratios else ""


def _shapes(shapes: Iterable[Mapping[str, int]]) -> str:
    return "; ".join(map(sizes_text, shapes))
