"""What KernelBench's 250 names ask for, tried: `python -m benchmarks.importing.names [--level LEVEL] [--only 1,2]`.

Of each name of levels 1 and 2 a problem is written (`named_problems.py`) and imported; a network of level 3 is named
with our own problems that have its operations, and those are imported. No problem of KernelBench's is read.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.importing.graphs.importer import Importer, NotImported
from agent.importing.problems.kernelbench import problems, read_problem
from benchmarks.importing.__main__ import PROBLEMS
from benchmarks.importing.named_problems import made_of, problem_text
from sandbox.isolation.choose import choose_isolation
from sandbox.reference.service import References
from sandbox.torch_graphs.graph import ExportCall
from sandbox.torch_graphs.service import TorchGraphs

NAMES = Path(__file__).with_name("kernelbench_names.toml")
LEVELS = ("level1", "level2", "level3")


@dataclass(frozen=True)
class NamedOutcome:
    """What became of a name.

    Attributes:
        reason: Why a problem of it is no task; empty where it is one.
        operators: Of ATen.
    """

    level: str
    name: str
    reason: str = ""
    operators: tuple[str, ...] = ()
    by: tuple[str, ...] = ()


def names(only: frozenset[int] = frozenset(), levels: Sequence[str] = LEVELS) -> list[tuple[str, str]]:
    """Return levels and names, all or those of some numbers."""
    table: dict[str, list[str]] = tomllib.loads(NAMES.read_text(encoding="utf-8"))
    return [
        (level, name)
        for level in levels
        for name in table[level]
        if not only or int(name.partition("_")[0]) in only
    ]


class Naming:
    """Imports what names ask for; each problem of ours once."""

    def __init__(self, importer: Importer) -> None:
        """Use an importer; whoever made it ends its workers."""
        self._importer = importer
        self._own = {path.stem: path for path in problems(PROBLEMS)}
        self._imported: dict[str, NamedOutcome] = {}

    async def outcome(self, level: str, name: str) -> NamedOutcome:
        """Try what a name asks for."""
        if level != "level3":
            call = ExportCall(problem_text(level, name), f"{name}.py")
            return await self._tried(level, name, call)
        made = [await self._one(stem) for stem in made_of(name)]
        operators = tuple(dict.fromkeys(one for some in made for one in some.operators))
        reason = next((f"{one.name}: {one.reason}" for one in made if one.reason), "")
        return NamedOutcome(level, name, reason, operators, made_of(name))

    async def _one(self, stem: str) -> NamedOutcome:
        if stem not in self._imported:
            self._imported[stem] = await self._tried("", stem, read_problem(self._own[stem]))
        return self._imported[stem]

    async def _tried(self, level: str, name: str, call: ExportCall) -> NamedOutcome:
        made = await self._importer.make(call, re.sub(r"[^a-z0-9]+", "_", f"p{name.lower()}").strip("_")[:48])
        if isinstance(made, NotImported):
            return NamedOutcome(level, name, f"line {made.line}: {made.reason}" if made.line else made.reason)
        return NamedOutcome(level, name, operators=made.operators)


def told(one: NamedOutcome) -> str:
    """Return the line that says what became of a name."""
    what = f"no task: {one.reason}" if one.reason else "a task"
    by = f" in parts: {', '.join(one.by)}" if one.by else ""
    return f"{one.level} {one.name[:60]:60} {what[:300]}{by}"


def totals(found: Sequence[NamedOutcome]) -> list[str]:
    """Return the lines that say what all that adds up to."""
    lines: list[str] = []
    for level in dict.fromkeys(one.level for one in found):
        some = [one for one in found if one.level == level]
        right = sum(not one.reason for one in some)
        what = "have all their operations in tasks" if level == "level3" else "are tasks, written after them"
        lines.append(f"{level}: {right} of {len(some)} names {what}")
    operators = {name for one in found for name in one.operators}
    return [*lines, f"operators of ATen in them: {len(operators)}"]


async def main(levels: Sequence[str], only: frozenset[int]) -> None:
    """Try every name, and print what became of each and of all."""
    TorchGraphs.check()
    isolation, found = choose_isolation(), list[NamedOutcome]()
    async with TorchGraphs(isolation) as graphs, References(isolation) as references:
        naming = Naming(Importer(graphs, references))
        for level, name in names(only, levels):
            found.append(await naming.outcome(level, name))
            print(told(found[-1]), flush=True)  # noqa: T201  a program's output
    print("\n".join(totals(found)))  # noqa: T201  a program's output


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.importing.names", description=__doc__)
    parser.add_argument("--level", choices=LEVELS, action="append")
    parser.add_argument("--only", default="", metavar="NUMBER,...")
    arguments = parser.parse_args()
    numbers = frozenset(int(one) for one in arguments.only.split(",") if one)
    asyncio.run(main(arguments.level or LEVELS, numbers))
