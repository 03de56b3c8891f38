"""What a search costs beside its kernels: `python -m benchmarks.long_search [--candidates 2048] [--json]`.

A search whose kernels cost nothing, written by a script and judged by a stand-in for the tools: what is left is the
graph, its checkpoints, the strategy, the store and the events. Printed is the processor time of a candidate in each
quarter of the search, the memory of the process at its end, and the size of what was stored.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import resource
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.table import Table

from agent.candidates import CandidatePlan
from agent.events import Event, RoundFinished
from agent.home import Home
from agent.models.fallback import default_critique
from agent.proposer import Critique, CritiqueContext, PlanContext, WriteContext, Written
from agent.results import SearchRequest
from agent.search.starting import start_search
from sandbox.device import Bottleneck
from sandbox.verdict import Provenance, Verdict
from tools.reports import CheckReport, CompileReport, ProfileReport, StageReport, TestReport
from tools.tasks.task import Task
from tools.toolbox import CheckOrder, Order, ProfileOrder, R, Toolbox

ROUND = 32
"""Candidates of a round."""
_START_US, _GAIN = 100.0, 0.9985
"""Of the baseline, and what each kernel takes of the one before it: a search that gains goes on."""
_LATENCY = re.compile(r"takes ([\d.]+) us")


@dataclass(frozen=True)
class Growth:
    """What a search of so many candidates cost.

    Attributes:
        quarters_ms: Processor time of a candidate, milliseconds, in each quarter of the search.
        memory_mb: The most that the process held at once.
        stored_mb: What the run left in its home.
    """

    candidates: int
    quarters_ms: tuple[float, ...]
    memory_mb: float
    stored_mb: float


class Writer:
    """Writes kernels that differ in a comment, each a little faster than the one before it."""

    name = "script"

    def __init__(self) -> None:
        """Begin at the baseline's latency."""
        self._written = 0

    async def plan(self, context: PlanContext) -> list[CandidatePlan]:
        """Take what the strategy offers."""
        return []

    async def write(self, context: WriteContext) -> Written:
        """Write the next kernel."""
        self._written += 1
        latency = _START_US * _GAIN**self._written
        return Written(f"{context.task.baseline}\n// takes {latency:.9f} us\n", context.plan.features)

    async def criticise(self, context: CritiqueContext) -> Critique:
        """Say what the reports say."""
        return default_critique(context)


class StandIn(Toolbox):
    """Reads the latency of a kernel off its comment, and finds nothing wrong with it."""

    @property
    def device(self) -> str:
        """See `Toolbox`."""
        return "sim:h200"

    @property
    def isolation(self) -> str:
        """See `Toolbox`."""
        return "none"

    async def do(self, order: Order[Task, R]) -> R:
        """Report on a kernel without looking at it."""
        found = _LATENCY.search(order.kernel)
        latency = _START_US if found is None else float(found[1])
        profile = ProfileReport(
            Verdict.PASS, "", latency, Provenance.ESTIMATED, _START_US / latency, bottleneck=Bottleneck.DRAM
        )
        key = hashlib.sha256(order.kernel.encode()).hexdigest()
        compiled = CompileReport(Verdict.PASS, "", ptx_key=key, architecture="sm_90")
        report = profile if isinstance(order, ProfileOrder) else compiled
        if isinstance(order, CheckOrder):
            stages = tuple(
                StageReport(name, Verdict.PASS, "", 0.0) for name in ("compile", "test", "profile")
            )
            report = CheckReport(
                *(Verdict.PASS, order.task.name, self.device, Provenance.ESTIMATED, "right", stages),
                *(compiled, TestReport(Verdict.PASS, "", cases_total=1), profile),
            )
        return cast("R", report)

    async def aclose(self) -> None:
        """Nothing was started."""


async def measure(candidates: int) -> Growth:
    """Run one search of so many candidates, rounded up to whole rounds; at least four rounds."""
    rounds = max(4, -(-candidates // ROUND))
    at = [time.process_time()]

    def heard(event: Event) -> None:
        if isinstance(event, RoundFinished):
            at.append(time.process_time())

    with tempfile.TemporaryDirectory() as folder:
        request = SearchRequest(task="vector_add", device="sim:h200", candidates=ROUND, depth=rounds, seed=1)
        await start_search(
            request, home=Home(Path(folder)), toolbox=StandIn(), proposer=Writer(), on_event=heard
        )
        stored = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    done = len(at) - 1
    cuts = [done * quarter // 4 for quarter in range(5)]
    quarters = tuple((at[end] - at[start]) / ((end - start) * ROUND) * 1e3 for start, end in pairwise(cuts))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Growth(done * ROUND, quarters, memory, stored / 1e6)


def main(
    *,
    candidates: Annotated[int, typer.Option(min=1, max=2048, help="Of the search.")] = 2048,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure what a long search costs beside its kernels."""
    growth = asyncio.run(measure(candidates))
    if as_json:
        typer.echo(json.dumps(asdict(growth), indent=2))
        return
    table = Table(title=f"a search of {growth.candidates:,} candidates that cost nothing")
    for heading in ("quarter", "ms of processor time a candidate"):
        table.add_column(heading, justify="right")
    for number, quarter in enumerate(growth.quarters_ms, start=1):
        table.add_row(str(number), f"{quarter:.1f}")
    Console().print(table)
    typer.echo(f"{growth.memory_mb:.0f} MB at most, {growth.stored_mb:.1f} MB stored")


if __name__ == "__main__":
    typer.run(main)
