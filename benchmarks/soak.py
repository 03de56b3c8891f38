"""Many mixed candidates through one toolbox: every verdict right, and nothing left behind.

    python -m benchmarks.soak [--candidates 500] [--workers 2] [--json]

Good, wrong, hanging, crashing and flooding kernels, each a file of its own, take turns. Printed at the end: verdicts
by kind, the parent's memory along the way, and what is left of processes, descriptors and temporary files.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from sandbox.verdict import Verdict
from tools.local_toolbox import LocalToolbox
from tools.parts import Limits
from tools.tasks import folder as task_folder
from tools.toolbox import CheckOrder

RUN_S = 60.0
"""Seconds of processor time that a candidate may run; the hanging ones are found by their work."""

_FILE = """\
// candidate {number}
//@ launch add<<<ceil_div(n, 128), 128>>>(x, y, out, n)
extern "C" __global__ void add(const float* x, const float* y, float* out, int n) {{
    int i = blockIdx.x * 128 + threadIdx.x;
    {body}
}}
"""
_ADD = "if (i < n) out[i] = x[i] + y[i];"
_FLOOD = (
    'if (i == 0) for (int k = 0; k < 100; ++k) printf("%s PASS speedup %d\\n", "' + 1000 * "x" + '", k); '
)
KINDS: dict[str, tuple[str, frozenset[Verdict]]] = {
    "good": (_ADD, frozenset({Verdict.PASS})),
    "wrong": ("if (i < n) out[i] = x[i] - y[i];", frozenset({Verdict.WRONG_RESULT})),
    "hanging": ("volatile int k = 0; while (n) ++k; " + _ADD, frozenset({Verdict.TIMEOUT})),
    "good too": ("if (i < n) out[i] = y[i] + x[i];", frozenset({Verdict.PASS})),
    "crashing": ("out[i + (1 << 28)] = 1;", frozenset({Verdict.MEMORY_FAULT})),
    "flooding": (_FLOOD + _ADD, frozenset({Verdict.PASS})),
    "stopping": ("__trap(); " + _ADD, frozenset({Verdict.MEMORY_FAULT})),
    "broken": ("this is no CUDA", frozenset({Verdict.COMPILE_ERROR})),
    "greedy": ("__shared__ float s[1 << 20]; s[i] = 1; out[i] = s[i];", frozenset({Verdict.COMPILE_ERROR})),
    "good three": ("for (; i < n; i += gridDim.x * 128) out[i] = x[i] + y[i];", frozenset({Verdict.PASS})),
}
"""By kind: the body of the kernel, and the verdicts that are right."""


@dataclass(frozen=True)
class Footprint:
    """What this process holds: resident memory in MiB, descriptors, child processes, entries of its temp folder."""

    candidates: int
    memory_mib: float
    descriptors: int
    children: int
    temporary: int


@dataclass(frozen=True)
class Result:
    """What a soak found; `wrong` lists candidates whose verdict was not right."""

    candidates: int
    seconds: float
    verdicts: dict[str, dict[str, int]]
    wrong: list[str]
    footprints: list[Footprint]


def main(
    *,
    candidates: Annotated[int, typer.Option(min=1)] = 500,
    workers: Annotated[int, typer.Option(min=1)] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Judge many mixed candidates, and look for what they leave behind."""
    result = asyncio.run(soak(candidates, workers))
    if as_json:
        typer.echo(json.dumps(asdict(result), indent=2))
    else:
        show(result)
    raise typer.Exit(1 if result.wrong else 0)


async def soak(candidates: int, workers: int) -> Result:
    """Judge that many candidates, as many at a time as there are workers."""
    task = task_folder.find("vector_add")
    verdicts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    wrong: list[str] = []
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as temporary:
        tempfile.tempdir = temporary
        footprints = [footprint(0)]
        async with LocalToolbox(
            "sim:h200", cache=Path(cache), workers=workers, limits=Limits(run_s=RUN_S)
        ) as box:
            await box.do(CheckOrder(task, task.baseline, profile=False))
            footprints.append(footprint(1))
            pending = kernels(candidates)

            async def judge() -> None:
                for number, kind, kernel in pending:
                    report = await box.do(CheckOrder(task, kernel, profile=False))
                    verdicts[kind][report.verdict.value] += 1
                    if report.verdict not in KINDS[kind][1]:
                        wrong.append(f"{number} ({kind}): {report.verdict}: {report.message}")
                    if number % 100 == 0:
                        footprints.append(footprint(number))

            await asyncio.gather(*(judge() for _ in range(workers)))
        footprints.append(footprint(candidates))
        tempfile.tempdir = None
    counts = {kind: dict(found) for kind, found in verdicts.items()}
    return Result(candidates, time.monotonic() - started, counts, wrong, footprints)


def kernels(count: int) -> Iterator[tuple[int, str, str]]:
    """Number, kind and text of every candidate; no two texts are the same."""
    kinds = list(KINDS)
    for number in range(1, count + 1):
        kind = kinds[number % len(kinds)]
        yield number, kind, _FILE.format(number=number, body=KINDS[kind][0])


def footprint(candidates: int) -> Footprint:
    """What this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    children = sum(len(path.read_text().split()) for path in Path("/proc/self/task").glob("*/children"))
    return Footprint(
        candidates=candidates,
        memory_mib=pages * resource.getpagesize() / 2**20,
        descriptors=len(os.listdir("/proc/self/fd")),
        children=children,
        temporary=len(os.listdir(tempfile.gettempdir())),
    )


def show(result: Result) -> None:
    """Print the tables."""
    console = Console()
    verdicts = Table(title=f"{result.candidates} candidates in {result.seconds:.0f} s")
    for heading in ("kind", "verdicts", "right"):
        verdicts.add_column(heading)
    for kind, found in result.verdicts.items():
        right = sum(count for verdict, count in found.items() if Verdict(verdict) in KINDS[kind][1])
        shown = ", ".join(f"{verdict} {count}" for verdict, count in found.items())
        verdicts.add_row(kind, shown, f"{right} / {sum(found.values())}")
    console.print(verdicts)
    held = Table(title="held by the parent; the first line is before, the last after")
    for heading in ("candidates", "memory MiB", "descriptors", "child processes", "temporary files"):
        held.add_column(heading, justify="right")
    for one in result.footprints:
        held.add_row(
            str(one.candidates),
            f"{one.memory_mib:.1f}",
            str(one.descriptors),
            str(one.children),
            str(one.temporary),
        )
    console.print(held)
    for line in result.wrong:
        console.print(f"wrong verdict: {line}", markup=False)


if __name__ == "__main__":
    typer.run(main)
