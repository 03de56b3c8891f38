"""Compares the strategies of the search with the composer, at equal numbers of candidates.

    python -m benchmarks.strategies [--fast] [--seeds 5] [--candidates 4] [--depth 6] [--table FILE] [--json]

Every kernel of the composer for twenty tasks is judged once, on the simulator, and kept in a table (what is missing
is judged first; minutes for a task). Eight of the tasks are held out: no constant of a strategy was chosen by them.
Searches then run the product's own graph, store and composer over what the
table says. Latencies are estimates. `cold` searches know nothing but the pages; `warm` ones follow searches on other
tasks in one home, whose credit they use.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from agent.cli.output import print_json, table
from agent.composer.space import Space
from agent.home import Home
from agent.strategy_names import StrategyName
from benchmarks.strategies.comparison import best_or_close, by_task, curve
from benchmarks.strategies.judged import TABLE, JudgedKernel, complete, read
from benchmarks.strategies.replay import UNIFORM, Replay, replay
from benchmarks.strategies.tasks import HELD_OUT, TASKS, write
from tools.local_toolbox import LocalToolbox
from tools.tasks.task import Task

NAMES = (*(str(name) for name in StrategyName), UNIFORM)
_POINTS = (4, 8, 12, 16, 24, 32)


def main(
    fast: Annotated[
        bool, typer.Option("--fast", help="Two seeds, and only tasks that are in the table.")
    ] = False,
    seeds: Annotated[int, typer.Option("--seeds", min=1)] = 5,
    candidates: Annotated[int, typer.Option("--candidates", min=1)] = 4,
    depth: Annotated[int, typer.Option("--depth", min=1)] = 6,
    kept: Annotated[Path, typer.Option("--table", help="The judged kernels.")] = TABLE,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Judge what is missing, replay searches, and print how the strategies compare."""
    console, rounds = Console(width=160, highlight=False), (candidates, depth)
    chosen = range(2 if fast else seeds)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tasks = asyncio.run(_tasks(folder, kept, fast=fast))
        kernels = read(kept)
        cold = asyncio.run(_cold(tasks, kernels, folder, chosen, rounds))
        if not as_json:
            _show(console, "cold", cold, candidates * depth)
        warm = asyncio.run(_warm(tasks, kernels, folder, chosen, rounds))
    if as_json:
        print_json({"cold": [asdict(one) for one in cold], "warm": [asdict(one) for one in warm]})
    else:
        _show(console, "warm", warm, candidates * depth)


async def _tasks(folder: Path, kept: Path, *, fast: bool) -> list[Task]:
    """Write the tasks, and judge what the table lacks; in haste leave out the tasks that it does not hold whole."""
    tasks = [write(name, folder / "tasks" / name) for name in TASKS]
    if fast:
        known = read(kept)
        return [task for task in tasks if {(task.name, sha) for sha in Space(task).by_sha} <= known.keys()]
    async with LocalToolbox("sim:h200", cache=folder / "cache") as toolbox:
        for task in tasks:
            await complete(task, toolbox, kept, lambda said: typer.echo(said, err=True))
    return tasks


async def _cold(
    tasks: Sequence[Task],
    kernels: Mapping[tuple[str, str], JudgedKernel],
    folder: Path,
    seeds: range,
    rounds: tuple[int, int],
) -> list[Replay]:
    """Search each task in a home of its own."""
    return [
        await replay(task, name, seed, kernels, Home(folder / f"cold-{task.name}-{name}-{seed}"), rounds)
        for task in tasks
        for name in NAMES
        for seed in seeds
    ]


async def _warm(
    tasks: Sequence[Task],
    kernels: Mapping[tuple[str, str], JudgedKernel],
    folder: Path,
    seeds: range,
    rounds: tuple[int, int],
) -> list[Replay]:
    """Search all tasks in one home, in an order of the seed's; the first half only teaches."""
    found: list[Replay] = []
    for seed in seeds:
        order = random.Random(seed).sample(list(tasks), len(tasks))
        for name in NAMES:
            home = Home(folder / f"warm-{name}-{seed}")
            mine = [await replay(task, name, seed, kernels, home, rounds) for task in order]
            found += mine[len(mine) // 2 :]
    return found


def _curves(replays: Sequence[Replay], points: Sequence[int]) -> Table:
    made = table("!strategy", *(f">after {point}" for point in points), ">whole search")
    for name in NAMES:
        found = curve(name, replays)
        made.add_row(name, *(f"{found.after[point - 1]:.4f}" for point in points), f"{found.area:.4f}")
    return made


def _show(console: Console, title: str, replays: Sequence[Replay], count: int) -> None:
    for part in (replays, [one for one in replays if one.task in HELD_OUT]):
        said = "" if part is replays else ", tasks held out"
        console.print(
            f"{title}{said}: times slower than the best kernel of the space, geometric mean (estimated)"
        )
        console.print(_curves(part, [point for point in _POINTS if point <= count]))
    if title == "cold":
        console.print()
        made = table("!task", *(f">{name}" for name in NAMES))
        told = {name: by_task(name, replays) for name in NAMES}
        for task in told[NAMES[0]]:
            made.add_row(task, *(f"{told[name][task]:.3f}" for name in NAMES))
        console.print(made)
        rivals = [name for name in NAMES if name != StrategyName.AUTO]
        best = best_or_close(StrategyName.AUTO, rivals, replays)
        console.print(
            f"auto is best, or within 2 percent of the best, on {best} of {len(told[NAMES[0]])} tasks"
        )
    console.print()


if __name__ == "__main__":
    typer.run(main)
