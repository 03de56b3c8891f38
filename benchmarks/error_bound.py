"""How much of the error bound honest kernels use, and how far lazy outputs lie outside.

    python -m benchmarks.error_bound [--json]

Every number is the largest `error / bound` over all elements, cases and inputs of a task: at most 1 passes. Honest
kernels are the tasks' baselines and the kernels of `benchmarks.ranking`; lazy outputs are zeros, and an output's own
median everywhere (not where there is one element alone). Figures vary with the seed.
"""

from __future__ import annotations

import asyncio
import json
import math
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.ranking import families
from sandbox.isolation.choose import choose_isolation
from sandbox.reference.service import References
from sandbox.verdict import Verdict
from tools.judge.comparison import compare
from tools.judge.freezing import load_frozen
from tools.judge.oracle import TaskOracle
from tools.local_toolbox import LocalToolbox
from tools.tasks import folder as task_folder
from tools.tasks.generators import numpy_dtype
from tools.tasks.task import Task
from tools.toolbox import TestOrder

DEVICE = "sim:h200"


@dataclass(frozen=True)
class Row:
    """One output of one task; `kernel` is a kernel's name or a lazy output's."""

    task: str
    kernel: str
    honest: bool
    ratio: float


def main(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False
) -> None:
    """Print what honest kernels and lazy outputs need of the error bound."""
    rows = asyncio.run(measure())
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    table = Table(title="largest error / bound, measured on the simulator")
    for heading in ("task", "kernel", "honest"):
        table.add_column(heading)
    table.add_column("error / bound", justify="right")
    for row in rows:
        table.add_row(row.task, row.kernel, "yes" if row.honest else "no", f"{row.ratio:.3g}")
    Console().print(table)


async def measure() -> list[Row]:
    """Judge every honest kernel, then ask what lazy outputs would get."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as cache:
        async with (
            LocalToolbox(DEVICE, cache=Path(cache)) as box,
            References(choose_isolation()) as references,
        ):
            for task, name, text in kernels():
                report = await box.do(TestOrder(task, text))
                if report.verdict is not Verdict.PASS:
                    raise SystemExit(f"{task.name}, {name}: {report.verdict}: {report.message}")
                ratios = [case.worst_ratio for case in report.cases if case.worst_ratio is not None]
                rows.append(Row(task.name, name, True, max(ratios, default=math.inf)))
            for name in task_folder.names():
                rows += await lazy(
                    task_folder.find(name), TaskOracle(task_folder.find(name), references), Path(cache)
                )
    return rows


def kernels() -> Iterator[tuple[Task, str, str]]:
    """Every honest kernel: its task, its name and its text."""
    for name in task_folder.names():
        task = task_folder.find(name)
        yield task, "baseline", task.baseline
    for path in sorted(families.FOLDER.glob("*/*.cu")):
        yield families.task(path.parent.name), path.stem, path.read_text()


async def lazy(task: Task, oracle: TaskOracle, cache: Path) -> list[Row]:
    """What an output of zeros, or of one constant, would need at the task's largest test case."""
    frozen = load_frozen(cache, task, DEVICE)
    assert frozen is not None, "its baseline was judged before"
    question = await oracle.question(task.tests[-1], 1)
    rows: list[Row] = []
    for answer in question.expected:
        kinds = {"zeros": 0.0} | (
            {"its median": float(np.median(answer.values))} if answer.values.size > 1 else {}
        )
        for kind, value in kinds.items():
            got = np.full(answer.values.shape, value, numpy_dtype(answer.dtype))
            constant = frozen.constants.get(answer.name, 0.0)
            rows.append(Row(task.name, kind, False, compare(got, answer, constant=constant).worst_ratio))
    return rows


if __name__ == "__main__":
    typer.run(main)
