"""Whether verdicts depend on how busy the machine is: every kernel is judged twice, with one seed.

    python -m benchmarks.busy [--loops 8] [--seed 1] [--only NAME] [FOLDER | PATH:TASK]... [--json]

First on the machine as it is, then beside endless loops in processes of their own. Without arguments the kernels are
the tasks' baselines, those of `benchmarks.ranking` and all of `benchmarks.error_corpus`. A FOLDER is a task folder
whose every kernel is judged; PATH is a kernel file or a folder of them, judged for TASK. It fails where two verdicts
differ.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.error_bound import DEVICE, kernels
from benchmarks.error_corpus import Corpus
from sandbox.errors import UsageError
from tools.local_toolbox import LocalToolbox
from tools.tasks import folder as task_folder
from tools.tasks.task import Task
from tools.toolbox import CheckOrder


@dataclass(frozen=True)
class Judged:
    """One kernel's two verdicts, and the seconds that they took."""

    task: str
    kernel: str
    quiet: str
    busy: str
    quiet_s: float
    busy_s: float


Kernel = tuple[Task, str, str]
"""A task, the kernel's name and its text."""


def main(
    where: Annotated[list[str] | None, typer.Argument(help="Task folders, or PATH:TASK.")] = None,
    *,
    loops: Annotated[int, typer.Option(help="Processes that do nothing but count.")] = 8,
    seed: Annotated[int, typer.Option(help="Of every judgement.")] = 1,
    only: Annotated[str, typer.Option(help="Only tasks whose name begins so.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Judge every kernel on the machine as it is and beside busy loops."""
    with tempfile.TemporaryDirectory() as folder:
        asked = list(given(where) if where else _own(Path(folder), only))
        rows = asyncio.run(measure(asked, loops, seed, Path(folder)))
    differ = [row for row in rows if row.quiet != row.busy]
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        _print(rows, loops)
        typer.echo(
            f"{len(rows) - len(differ)} of {len(rows)} verdicts are the same beside {loops} busy loops"
        )
    raise typer.Exit(1 if differ else 0)


def _own(folder: Path, only: str) -> Iterator[Kernel]:
    for task, sample in kernels(Corpus(folder / "tasks"), only):
        yield task, sample.kernel, sample.text


def given(where: Sequence[str]) -> Iterator[Kernel]:
    """Return the kernels that arguments name.

    Raises:
        BadParameter: There is no such path or task.
    """
    for one in where:
        name, _, task_name = one.partition(":")
        path = Path(name)
        if not path.exists():
            raise typer.BadParameter(f"{name} does not exist; expected a task folder, or PATH:TASK")
        try:
            task = task_folder.find(task_name or name)
        except UsageError as error:
            raise typer.BadParameter(str(error)) from None
        for file in sorted(path.glob("*.cu")) if path.is_dir() else [path]:
            yield task, f"{file.parent.name}/{file.name}", file.read_text()


async def measure(asked: Sequence[Kernel], loops: int, seed: int, cache: Path) -> list[Judged]:
    """Judge all kernels, then all again beside the loops; nothing that was compiled or frozen is kept between."""
    quiet = await _judge(asked, seed, cache / "quiet")
    with _busy(loops):
        busy = await _judge(asked, seed, cache / "busy")
    return [
        Judged(task.name, name, before, after, round(before_s, 2), round(after_s, 2))
        for (task, name, _), (before, before_s), (after, after_s) in zip(asked, quiet, busy, strict=True)
    ]


async def _judge(asked: Sequence[Kernel], seed: int, cache: Path) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    async with LocalToolbox(DEVICE, cache=cache) as toolbox:
        for task, name, text in asked:
            start = time.monotonic()
            try:
                order = CheckOrder(task, text, seed=seed, profile=False, benches=False)
                verdict = (await toolbox.do(order)).verdict.value
            except UsageError as error:
                verdict = str(error)
            found.append((verdict, time.monotonic() - start))
            typer.echo(f"{task.name}, {name}: {verdict}, {found[-1][1]:.1f} s", err=True)
    return found


@contextmanager
def _busy(loops: int) -> Generator[None]:
    context = multiprocessing.get_context("spawn")
    running = [context.Process(target=_count, daemon=True) for _ in range(loops)]
    for process in running:
        process.start()
    try:
        yield
    finally:
        for process in running:
            process.terminate()
            process.join()


def _count() -> None:
    number = 0
    while True:
        number += 1


def _print(rows: Sequence[Judged], loops: int) -> None:
    table = Table(title=f"verdicts on this machine as it is, and beside {loops} busy loops")
    for heading in ("task", "kernel", "quiet", "busy"):
        table.add_column(heading, overflow="fold")
    for heading in ("quiet s", "busy s"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(row.task, row.kernel, row.quiet, row.busy, f"{row.quiet_s:.1f}", f"{row.busy_s:.1f}")
    Console(width=140).print(table)


if __name__ == "__main__":
    typer.run(main)
