"""Kills searches at random points and goes on with them: `python -m benchmarks.kills [--points 200] [--strategy S]`.

A search of each strategy runs in a process of its own, its model scripted, its tools a stand-in. It is killed (by
kill -9) after a random time, again and again until it ends; then the next one. Counted are kills, questions, those
asked again although their answer was stored, those asked again since their answer was still on its way, and budgets
that were overshot: candidates written, and tokens of all answers that were sent, whether they arrived or not.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from agent.cli.output import print_json, table
from agent.home import Home
from agent.models import opening
from agent.strategy_names import StrategyName
from benchmarks.kills.endpoint import serving
from benchmarks.kills.killing import Tally, kill_searches
from benchmarks.kills.processes import Searches


def main(
    points: Annotated[int, typer.Option(min=1, help="Kills of each strategy.")] = 200,
    strategy: Annotated[
        list[StrategyName] | None, typer.Option(help="May be given several times; unset, all.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Of a search.")] = 4,
    seed: Annotated[int, typer.Option()] = 1,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Kill searches of each strategy, and print what was paid twice and what was overshot."""
    os.environ |= {"NO_PROXY": "127.0.0.1", "OPENAI_API_KEY": "none"}
    assert opening.ChatModels, "imported before the first fork: no child has to"
    tallies: list[Tally] = []
    with serving() as endpoint, tempfile.TemporaryDirectory() as folder:
        for name in strategy or list(StrategyName):
            searches = Searches(name, rounds, Home(Path(folder) / str(name)), endpoint)
            tallies.append(kill_searches(searches, points, seed))
            typer.echo(f"{name}: {tallies[-1].kills} kills, {tallies[-1].searches} searches", err=True)
    if as_json:
        print_json([asdict(one) for one in tallies])
        return
    heads = ("kills", "searches", "questions", "asked again", "on its way", "overshot", "unfinished")
    made = table("!strategy", *(f">{head}" for head in heads))
    for one in tallies:
        made.add_row(*(str(value) for value in asdict(one).values()))
    Console(width=120, highlight=False).print(made)


if __name__ == "__main__":
    typer.run(main)
