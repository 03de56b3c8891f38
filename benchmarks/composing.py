"""What the composer's features are worth: `python -m benchmarks.composing [TASK...] [--device sim:h200] [--json]`.

Of each task (without any: those of the suite fsr20) the baseline's estimate, that of the composer's kernel without
features, and the best that is found by adding one feature at a time as long as one helps. Nothing is judged: that is
what `warpwright check` and searches are for. Estimates only; no GPU takes part.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from agent.composer.space import Features, Space
from tools.kernel.file import parse, sweep
from tools.local_toolbox import LocalToolbox
from tools.reports import ProfileReport
from tools.tasks.folder import find
from tools.tasks.suites import find_suite
from tools.tasks.task import Task
from tools.toolbox import ProfileOrder

_GAIN = 0.995
"""What a feature must multiply the latency by, or less, to be kept."""


@dataclass(frozen=True)
class Composed:
    """Estimated latencies of one task's kernels, in microseconds."""

    task: str
    baseline_us: float
    plain_us: float
    best_us: float
    features: tuple[str, ...]

    @property
    def speedup(self) -> float:
        """Of the best over the baseline."""
        return self.baseline_us / self.best_us


def main(
    tasks: Annotated[list[str] | None, typer.Argument(help="Names or folders.")] = None,
    device: Annotated[str, typer.Option(help="A simulated GPU.")] = "sim:h200",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Estimate what the composer's features are worth."""
    found = asyncio.run(composed(map(find, tasks or [one.task for one in find_suite("fsr20").tasks]), device))
    if as_json:
        typer.echo(json.dumps([asdict(one) | {"speedup": one.speedup} for one in found], indent=2))
    else:
        show(found, device)


async def composed(tasks: Iterable[Task], device: str) -> list[Composed]:
    """Climb from the plain kernel of each task."""
    found: list[Composed] = []
    with tempfile.TemporaryDirectory() as folder:
        async with LocalToolbox(device, cache=Path(folder)) as toolbox:
            for task in tasks:
                found.append(await climbed(task, toolbox))
                typer.echo(f"{task.name}: {found[-1].best_us:.2f} us", err=True)
    return found


async def climbed(task: Task, toolbox: LocalToolbox) -> Composed:
    """Add the feature that helps most, as long as one does."""
    space, seen = Space(task), dict[Features, float]()

    async def latency(features: Features) -> float:
        if features not in seen:
            text = space.text(features)
            orders = (toolbox.do(ProfileOrder(task, text, tune)) for tune in sweep(parse(text)))
            seen[features] = min(_latency(report) for report in await asyncio.gather(*orders))
        return seen[features]

    baseline = _latency(await toolbox.do(ProfileOrder(task, task.baseline)))
    best = space.settle(())
    while True:
        steps = {space.settle((*best, name)) for name in space.features if name not in best}
        await asyncio.gather(*map(latency, steps))
        timed = {features: seen[features] for features in sorted(steps)}
        chosen = min(timed, key=lambda features: timed[features], default=best)
        if not timed or timed[chosen] > _GAIN * await latency(best):
            return Composed(task.name, baseline, await latency(()), await latency(best), best)
        best = chosen


def _latency(report: ProfileReport) -> float:
    return report.latency_us if report.latency_us is not None else float("inf")


def show(found: Iterable[Composed], device: str) -> None:
    """Print a table."""
    table = Table("task", "baseline", "plain", "best", "speedup", "features", title=f"{device}, us estimated")
    for one in found:
        row = (f"{one.baseline_us:.2f}", f"{one.plain_us:.2f}", f"{one.best_us:.2f}", f"{one.speedup:.2f}x")
        table.add_row(one.task, *row, ", ".join(one.features))
    Console(width=180).print(table)


if __name__ == "__main__":
    typer.run(main)
