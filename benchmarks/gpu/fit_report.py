"""What a fit found, for people in Markdown and for programs in JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.gpu.fitting import BOUNDS, LAUNCH, Fit
from benchmarks.gpu.observations import Measurements
from benchmarks.gpu.tables import number, table

_NEAR_BOUND = 1.01
_SETS = ("fitting", "held out", "all")


@dataclass(frozen=True)
class Report:
    """A fit, what it was made from, and what was left out of it."""

    fit: Fit
    measurements: tuple[Measurements, ...]
    command: str
    left_out: tuple[str, ...] = ()
    published: bool = False


def write(report: Report, folder: Path) -> None:
    """Write fit.json and fit.md."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fit.json").write_text(json.dumps(as_table(report), indent=1) + "\n")
    (folder / "fit.md").write_text(markdown(report))


def as_table(report: Report) -> dict[str, Any]:
    """Return all of it."""
    found = report.fit
    return {
        "command": report.command,
        "measured": [
            {"gpu": one.gpu, "device": one.device, "date": one.date, "command": one.command, "model": one.model}
            for one in report.measurements
        ],
        "published": report.published,
        "constants": [
            {
                "name": name, "before": found.before.value(name), "after": found.after.value(name),
                "bounds": BOUNDS[name], "fitted": name in found.free, "where": where(name),
            }
            for name in BOUNDS
        ],
        "qualities": {
            name: {"before": asdict(before), "after": asdict(after)}
            for name, (before, after) in found.qualities.items()
        },
        "kernels": list(_kernels(found)),
        "left_out": report.left_out,
    }  # fmt: skip


def where(name: str) -> str:
    """Say where a constant stands in the source."""
    if name == LAUNCH:
        return "sandbox/simulator/gpus/architectures.py; its source in sources.py; docs/gpus.md"
    return "sandbox/simulator/cost/constants.py, with its source; docs/cost-model.md"


def markdown(report: Report) -> str:
    """Return the tables."""
    found = report.fit
    sets = [(name, pair) for name, pair in found.qualities.items() if name in _SETS]
    tasks = [(name, pair) for name, pair in found.qualities.items() if name not in _SETS]
    heads = ("kernels", "how many", "error before", "error after", "rho before", "rho after")
    return "\n".join(
        [
            f"# The cost model fitted to {', '.join(_names(report))}\n",
            *(
                f"sim:{one.model}: {one.device or 'device unknown'}. Measured {one.date} by `{one.command}`.\n"
                for one in report.measurements
            ),
            f"Fitted by `{report.command}`.\n",
            "Nothing was changed. Errors are medians of |log(estimated / measured)|, rho is Spearman's rank"
            " correlation of estimates with measurements.\n",
            table("Constants", ("constant", "before", "after", "remark", "where"), _constants(report)),
            table("Estimates of sets of kernels", heads, (_quality(*one) for one in sets)),
            table("Estimates of each task's kernels", heads, (_quality(*one) for one in tasks)),
            table("Kernels", _HEADS, (tuple(map(_cell, one.values())) for one in _kernels(found))),
            table("Left out", ("what",), ((text,) for text in report.left_out)),
        ]
    )


def _names(report: Report) -> list[str]:
    return [one.gpu for one in report.measurements] + (["published times"] if report.published else [])


_HEADS = ("task", "kernel", "set", "measured us", "estimated us before", "estimated us after")


def _constants(report: Report) -> Iterable[tuple[str, ...]]:
    found = report.fit
    for name, (low, high) in BOUNDS.items():
        before, after = found.before.value(name), found.after.value(name)
        remark = "" if name in found.free else "left alone: no kernel of the fitting set depends on it"
        if name in found.free and not low * _NEAR_BOUND < after < high / _NEAR_BOUND:
            remark = "at its bound: the model lacks something, do not use"
        yield f"`{name}`", number(before), number(after), remark, where(name)


def _quality(name: str, pair: Any) -> tuple[str, ...]:
    before, after = pair
    errors = (f"{math.expm1(one.median_error):.1%}" for one in pair)
    return name, str(before.kernels), *errors, _rank(before.spearman), _rank(after.spearman)


def _rank(value: float | None) -> str:
    return "no order" if value is None else f"{value:.3f}"


def _kernels(found: Fit) -> Iterator[dict[str, str | float]]:
    for kind, observations in (("fitting", found.fitting), ("held out", found.held_out)):
        before, after = (one.estimates(observations) for one in (found.before, found.after))
        for one, first, second in zip(observations, before, after, strict=True):
            yield {
                "group": one.group, "variant": one.variant, "set": kind, "measured_us": one.measured_us,
                "estimated_us_before": float(first), "estimated_us_after": float(second),
            }  # fmt: skip


def _cell(value: str | float) -> str:
    return value if isinstance(value, str) else number(value)
