"""Print how the cost model ranks the kernels here, and, where there is a GPU, how the GPU does.

    python -m benchmarks.ranking --device sim:h200 [--gpu cuda:0] [--check] [--json]

Estimates are estimates: they stand in a column of their own, beside what the GPU measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.ranking import families
from benchmarks.ranking.ranks import spearman
from sandbox.errors import MissingDependencyError
from sandbox.verdict import Verdict
from tools.local_toolbox import LocalToolbox
from tools.toolbox import CheckOrder, ProfileOrder

_LINE = "{:<10} {:<11} {:>14} {:>14}  {}"


@dataclass(frozen=True)
class Row:
    """One kernel; times in microseconds."""

    family: str
    variant: str
    estimated_us: float
    bottleneck: str
    measured_us: float | None = None


@dataclass(frozen=True)
class Order:
    """Whether the estimate, and the measurement where there is one, say that the faster one is faster."""

    pair: families.Pair
    estimated: bool
    measured: bool | None


async def _latency(box: LocalToolbox, family: str, variant: str, check: bool) -> tuple[float, str]:
    """Latency and bottleneck; with `check`, of a kernel that gives the right results.

    Raises:
        SystemExit: The kernel is not right, or did not run.
    """
    task, text = families.task(family), families.kernel(family, variant)
    if check:
        judged = await box.do(CheckOrder(task, text, profile=False))
        if judged.verdict is not Verdict.PASS:
            raise SystemExit(f"{family}/{variant} on {box.device}: {judged.verdict}: {judged.message}")
    report = await box.do(ProfileOrder(task, text))
    if report.latency_us is None:
        raise SystemExit(f"{family}/{variant} on {box.device}: {report.verdict}: {report.message}")
    return report.latency_us, report.bottleneck


async def _rows(device: str, gpu: str, chosen: Sequence[str], check: bool) -> tuple[list[Row], str]:
    """A row for each kernel, and why nothing was measured, if nothing was."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as cache:
        async with LocalToolbox(device, cache=Path(cache)) as box:
            for family, variant in ((one, other) for one in chosen for other in families.VARIANTS[one]):
                estimated, bottleneck = await _latency(box, family, variant, check)
                rows.append(Row(family, variant, estimated, bottleneck))
        try:
            async with LocalToolbox(gpu, cache=Path(cache)) as box:
                for index, row in enumerate(rows):
                    measured, _ = await _latency(box, row.family, row.variant, check)
                    rows[index] = replace(row, measured_us=measured)
        except MissingDependencyError as error:
            return rows, str(error)
    return rows, ""


def _correlations(rows: Sequence[Row]) -> dict[str, float | None]:
    """Spearman's correlation of estimated and measured time, of each family and of all kernels."""
    groups = {family: [row for row in rows if row.family == family] for family in families.VARIANTS}
    groups = {family: group for family, group in groups.items() if group} | {"all": list(rows)}
    return {
        name: spearman([row.estimated_us for row in group], [row.measured_us or 0.0 for row in group])
        for name, group in groups.items()
    }


def _orders(rows: Sequence[Row]) -> list[Order]:
    """Each well-known pair, and whether the estimate and the measurement order it as known."""
    by_name = {(row.family, row.variant): row for row in rows}
    found: list[Order] = []
    for pair in families.PAIRS:
        faster = by_name.get((pair.family, pair.faster))
        slower = by_name.get((pair.family, pair.slower))
        if faster is None or slower is None:
            continue
        measured = None
        if faster.measured_us is not None and slower.measured_us is not None:
            measured = faster.measured_us < slower.measured_us
        found.append(Order(pair, faster.estimated_us < slower.estimated_us, measured))
    return found


def _text(rows: Sequence[Row], orders: Sequence[Order], given: argparse.Namespace, absent: str) -> str:
    lines = [_LINE.format("family", "variant", "estimated us", "measured us", f"bottleneck ({given.device})")]
    for family in families.VARIANTS:
        for row in sorted((r for r in rows if r.family == family), key=lambda r: r.estimated_us):
            measured = "-" if row.measured_us is None else f"{row.measured_us:.1f}"
            estimated = f"{row.estimated_us:.1f}"
            lines.append(_LINE.format(row.family, row.variant, estimated, measured, row.bottleneck))
    says = {True: "yes", False: "NO", None: "-"}
    lines += ["", "Ordered as known?"]
    for order in orders:
        answer = f"estimated {says[order.estimated]}, measured {says[order.measured]}"
        lines.append(f"{order.pair.family}: {order.pair.reason}: {answer}")
    lines.append("")
    if absent:
        lines.append(f"No GPU device: nothing was measured, so there is no rank correlation. {absent}")
    else:
        for name, value in _correlations(rows).items():
            shown = "-" if value is None else f"{value:.3f}"
            lines.append(f"Spearman's rank correlation with {given.gpu}, {name}: {shown}")
    return "\n".join(lines) + "\n"


def _json(rows: Sequence[Row], orders: Sequence[Order], given: argparse.Namespace, absent: str) -> str:
    found = {
        "device": given.device,
        "gpu": None if absent else given.gpu,
        "absent": absent,
        "kernels": [asdict(row) for row in rows],
        "pairs": [asdict(order) for order in orders],
        "spearman": {} if absent else _correlations(rows),
    }
    return json.dumps(found, indent=2) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 where the estimate orders a well-known pair wrongly."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranking", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--device", default="sim:h200", help="the simulated GPU that estimates (%(default)s)")
    parser.add_argument("--gpu", default="cuda:0", help="the GPU that measures, if any (%(default)s)")
    parser.add_argument("--family", action="append", choices=sorted(families.VARIANTS), help="only this")
    parser.add_argument("--check", action="store_true", help="judge the kernels' results first")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    chosen = given.family or list(families.VARIANTS)
    rows, absent = asyncio.run(_rows(given.device, given.gpu, chosen, given.check))
    orders = _orders(rows)
    write = _json if given.json else _text
    sys.stdout.write(write(rows, orders, given, absent))
    return 0 if all(order.estimated for order in orders) else 1


if __name__ == "__main__":
    raise SystemExit(main())
