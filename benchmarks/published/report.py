"""How estimates stand beside published times, for people and for programs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.published.changes import Effect, effects
from benchmarks.published.dataset import changes
from benchmarks.published.observing import Published
from benchmarks.published.quality import Compared, Quality, quality
from sandbox.simulator.cost.constants import USED

_POINT = "  {:<28} {:>11} {:>11} {:>6}  {}"
_EFFECT = "  {:<56} {:<16} {:>8} {:>8} {:>9}  {}"
_PARTS = 3


@dataclass(frozen=True)
class Report:
    """What was compared.

    Attributes:
        in_use: Microseconds estimated by the constants in use, in the order of `observed`.
        left_out: Kernels that the simulator did not run, and why.
        held_out: The same, each family by a fit without it; where that was asked for, the rest is about these.
    """

    observed: tuple[Published, ...]
    in_use: tuple[float, ...]
    left_out: tuple[str, ...]
    held_out: tuple[float, ...] | None = None

    @property
    def times(self) -> tuple[float, ...]:
        """What the report is about."""
        return self.in_use if self.held_out is None else self.held_out

    def effects(self) -> list[Effect]:
        """Changes of which both kernels are here."""
        return effects(changes(), self.observed)

    def compared(self, family: str = "", times: Sequence[float] | None = None) -> list[Compared]:
        """The kernels of one family, or all of them; `times` are others than the report's."""
        pairs = zip(self.observed, times or self.times, strict=True)
        return [
            Compared(one.group, one.variant, one.measured_us, time)
            for one, time in pairs
            if family in {"", one.family.name}
        ]

    def kinds(self) -> dict[str, tuple[int, float]]:
        """By what bounds kernels: how many there are, and the error that two of three stay within.

        `sandbox.simulator.cost.confidence` has these.
        """
        errors: dict[str, list[float]] = {}
        for one, error in zip(self.observed, self._errors(), strict=True):
            errors.setdefault(one.estimate(USED).bottleneck.value, []).append(error)
        return {kind: (len(found), _typical(found)) for kind, found in sorted(errors.items())}

    def typical(self) -> float:
        """The error that two of three of all kernels stay within."""
        return _typical(self._errors())

    def _errors(self) -> list[float]:
        return [
            abs(math.log(time / one.measured_us)) for one, time in zip(self.observed, self.times, strict=True)
        ]

    def families(self) -> list[str]:
        """Names of families, in order."""
        return list(dict.fromkeys(one.family.name for one in self.observed))


def _typical(errors: Sequence[float]) -> float:
    return float(np.quantile(errors, 2 / 3))


def as_table(report: Report) -> dict[str, Any]:
    """Return all of it."""
    return {
        "held_out": report.held_out is not None,
        "in_use": asdict(quality(report.compared(times=report.in_use))),
        "all": asdict(quality(report.compared())),
        "typical": report.typical(),
        "kinds": report.kinds(),
        "families": {name: asdict(quality(report.compared(name))) for name in report.families()},
        "points": [_row(one, time) for one, time in zip(report.observed, report.times, strict=True)],
        "what_ifs": [asdict(one) for one in report.effects()],
        "left_out": report.left_out,
    }


def _row(one: Published, time: float) -> dict[str, Any]:
    found = one.estimate(USED)
    return {
        "family": one.family.name,
        "shape": one.point.shape,
        "variant": one.variant,
        "gpu": one.family.gpu.name,
        "measured_us": one.measured_us,
        "estimated_us": time,
        "ratio": time / one.measured_us,
        "bottleneck": found.bottleneck.value,
        "parts_us": {name: value for name, value in found.parts.items() if value},
    }


def text(report: Report) -> str:
    """Return the tables."""
    return "\n".join([*_families(report), *_what_ifs(report), *_summary(report), ""])


def _families(report: Report) -> Iterator[str]:
    for name in report.families():
        mine = [
            (one, time)
            for one, time in zip(report.observed, report.times, strict=True)
            if one.family.name == name
        ]
        family = mine[0][0].family
        yield f"{name}: {family.gpu.name} at {family.gpu.clock_mhz} MHz; {family.source}. {family.remark}"
        yield _POINT.format("variant", "measured us", "estimated", "ratio", "largest parts, us")
        for one, time in mine:
            parts = sorted(one.estimate(USED).parts.items(), key=lambda part: -part[1])[:_PARTS]
            shown = ", ".join(f"{part} {value:.4g}" for part, value in parts)
            label = f"{one.variant} {one.point.shape}".strip()
            yield _POINT.format(
                label, f"{one.measured_us:.4g}", f"{time:.4g}", f"{time / one.measured_us:.2f}", shown
            )
        yield "  " + _said(quality(report.compared(name)))
        yield ""


def _what_ifs(report: Report) -> Iterator[str]:
    found = report.effects()
    if not found:
        return
    yield "What-ifs beside measured changes: how many times as fast"
    yield _EFFECT.format("before, after", "cause", "measured", "foretold", "estimated", "change")
    for one in found:
        change = one.change
        name = f"{change.family} {change.before}, {change.after}"
        times = (f"{ratio:.2f}" for ratio in (one.measured, one.foretold, one.estimated))
        yield _EFFECT.format(name, change.cause, *times, change.what)
    errors = [abs(math.log(one.foretold / one.measured)) for one in found]
    yield f"  {len(found)} changes, median error {np.median(errors):.3f}"
    yield ""


def _summary(report: Report) -> Iterator[str]:
    yield f"All, by the constants in use: {_said(quality(report.compared(times=report.in_use)))}"
    if report.held_out is not None:
        yield f"All, each family by a fit without it: {_said(quality(report.compared()))}"
    yield f"  {len(report.observed)} points, two of three within {report.typical():.3f}"
    for kind, (points, error) in report.kinds().items():
        yield f"  bound by {kind}: {points} points, two of three within {error:.3f}"
    yield from (f"Left out: {text}" for text in report.left_out)


def _said(found: Quality) -> str:
    order = f"{found.ordered} of {found.pairs} pairs ordered right" if found.pairs else "no pairs"
    rank = "no order" if found.spearman is None else f"Spearman {found.spearman:.3f}"
    said = (
        f"{found.points} points, median error {found.median_error:.3f}, log sd {found.log_sd:.3f}, "
        f"median ratio {found.bias:.2f}, {order}, {rank}"
    )
    if found.worst is not None:
        worst = found.worst
        said += (
            f"; worst inversion: {worst.slower} takes {worst.measured:.2f} times {worst.faster},"
            f" estimated {worst.estimated:.2f}"
        )
    return said
