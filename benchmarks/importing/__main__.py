"""Imports problems in KernelBench's format and judges the baselines: `python -m benchmarks.importing [FOLDER]`.

Without a folder it takes our own problems beside this file, of one, of two or three and of many operators, as
KernelBench's levels are.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agent.home import home
from agent.importing.importing import Importer, NotImported
from agent.importing.kernelbench import problems, read_problem, task_name
from sandbox.errors import UsageError
from sandbox.isolation.choose import choose_isolation
from sandbox.reference.service import References
from sandbox.torch_graphs.service import TorchGraphs
from sandbox.verdict import Verdict
from tools.local_toolbox import LocalToolbox
from tools.tasks.drafting import write_folder
from tools.tasks.folder import load
from tools.tasks.task import Task
from tools.toolbox import CheckOrder, TestOrder, Toolbox

PROBLEMS = Path(__file__).with_name("problems")


@dataclass(frozen=True)
class Outcome:
    """What became of a problem.

    Attributes:
        level: The folder it lies in.
        reason: Why it is no task; empty where it is one.
        verdict: Of its baseline; None where that was not judged.
        message: Of the verdict.
        operators: Of ATen, of a task.
    """

    level: str
    name: str
    seconds: float
    reason: str = ""
    verdict: Verdict | None = None
    message: str = ""
    operators: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judging:
    """How baselines are judged.

    Attributes:
        quick: By their tests alone, at the first two of the task's sizes and fresh ones as small; no estimate.
    """

    toolbox: Toolbox
    quick: bool

    async def verdict(self, task: Task) -> tuple[Verdict, str]:
        """Judge a task's baseline."""
        try:
            if self.quick:
                sha = hashlib.sha256(f"{task.sha} quick".encode()).hexdigest()
                small = replace(task, tests=task.tests[:2], sha=sha)
                tested = await self.toolbox.do(TestOrder(small, task.baseline))
                return tested.verdict, tested.message
            report = await self.toolbox.do(CheckOrder(task, task.baseline))
        except UsageError as error:  # the task cannot be frozen: its own baseline is at fault
            return Verdict.COMPILE_ERROR if "compile" in str(error) else Verdict.REJECTED, str(error)
        return report.verdict, report.message


async def outcome(file: Path, importer: Importer, judging: Judging | None) -> Outcome:
    """Import a problem, and judge its baseline where that is asked for."""
    started, level = time.monotonic(), file.parent.name
    made = await importer.make(read_problem(file), task_name(file))
    if isinstance(made, NotImported):
        place = f"line {made.line}: " if made.line else ""
        return Outcome(level, file.stem, time.monotonic() - started, place + made.reason)
    if judging is None:
        return Outcome(level, file.stem, time.monotonic() - started, operators=made.operators)
    with tempfile.TemporaryDirectory(prefix="importing-") as temporary:
        folder = Path(temporary) / made.task.name
        write_folder(made.task, folder)
        task = load(folder)
        verdict, message = await judging.verdict(task)
    return Outcome(level, file.stem, time.monotonic() - started, "", verdict, message, made.operators)


def told(one: Outcome) -> str:
    """Return the line that says what became of a problem."""
    what = f"no task: {one.reason}" if one.reason else "a task"
    if one.verdict is not None:
        what = f"baseline {one.verdict}" + ("" if one.verdict is Verdict.PASS else f": {one.message}")
    return f"{one.level:8} {one.name:36} {one.seconds:6.1f} s  {what[:400]}"


def totals(found: Sequence[Outcome]) -> list[str]:
    """Return the lines that say what all that adds up to."""
    lines: list[str] = []
    for level in [*dict.fromkeys(one.level for one in found), ""]:
        some = [one for one in found if level in ("", one.level)]
        tasks = [one for one in some if not one.reason]
        judged = [one for one in tasks if one.verdict is not None]
        right = sum(one.verdict is Verdict.PASS for one in judged)
        passed = f", {right} of {len(judged)} baselines of the composer pass" if judged else ""
        lines.append(f"{level or 'all'}: {len(tasks)} of {len(some)} problems are tasks{passed}")
    operators = {name for one in found for name in one.operators}
    lines.append(f"operators of ATen in them: {len(operators)}")
    return lines


async def main(folder: Path, *, check: bool, quick: bool) -> None:
    """Import every problem below a folder, and print what became of each and of all."""
    TorchGraphs.check()
    isolation = choose_isolation()
    found: list[Outcome] = []
    async with (
        TorchGraphs(isolation) as graphs,
        References(isolation) as references,
        LocalToolbox("sim:h200", cache=home().compile_cache) as toolbox,
    ):
        importer = Importer(graphs, references)
        judging = Judging(toolbox, quick) if check else None
        for file in problems(folder):
            found.append(await outcome(file, importer, judging))
            print(told(found[-1]), flush=True)  # noqa: T201  a program's output
    print("\n".join(totals(found)))  # noqa: T201  a program's output


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.importing", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=PROBLEMS)
    parser.add_argument("--no-check", action="store_true", help="Judge no baselines.")
    parser.add_argument("--quick", action="store_true", help="Judge baselines by a few of their tests alone.")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.folder, check=not arguments.no_check, quick=arguments.quick))
