"""Fuzz every parser of what strangers write, for a stated time.

    python -m benchmarks.fuzzing [--seconds 60] [--only NAME] [--keep]

Needs atheris (`pip install atheris`). Each target runs for that many seconds from its seeds and from the stored
corpus; what ends in anything but its own refusal, or takes longer than ten seconds, is written to the current folder,
named, and fails the command. `--keep` stores the short ones of the texts that reached what none
before them did.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.fuzzing.corpus_files import keep, unpack
from benchmarks.fuzzing.targets import TARGETS, Target

_LONGEST = 8192
_EXECUTIONS = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_COVERAGE = re.compile(r"\bcov: (\d+)")


@dataclass(frozen=True)
class Fuzzed:
    """What came of one target.

    Attributes:
        executions: Texts that were tried.
        edges: Branches that they reached.
        kept: Texts in the corpus afterwards.
        fault: The last lines of what ended it; empty where nothing did.
    """

    name: str
    executions: int
    edges: int
    kept: int
    fault: str


def main(
    *,
    seconds: Annotated[int, typer.Option(min=1, help="For each target.")] = 60,
    only: Annotated[str, typer.Option(help="Only targets whose name begins so.")] = "",
    keeps: Annotated[bool, typer.Option("--keep", help="Replace the stored corpus.")] = False,
) -> None:
    """Fuzz; exit with 1 where a parser did anything but read or refuse."""
    if find_spec("atheris") is None:
        raise typer.BadParameter("atheris is not installed: pip install atheris")
    found = [fuzz(target, seconds, keeps=keeps) for name, target in TARGETS.items() if name.startswith(only)]
    table = Table(title=f"{seconds} s each")
    table.add_column("parser")
    for heading in ("texts tried", "branches reached", "texts kept"):
        table.add_column(heading, justify="right")
    table.add_column("fault")
    for one in found:
        fault = one.fault.splitlines()[-1][:80] if one.fault else "none"
        table.add_row(one.name, f"{one.executions:,}", str(one.edges), str(one.kept), fault)
    Console(width=140).print(table)
    for one in found:
        if one.fault:
            typer.echo(f"{one.name}:\n{one.fault}", err=True)
    raise typer.Exit(1 if any(one.fault for one in found) else 0)


def fuzz(target: Target, seconds: int, *, keeps: bool) -> Fuzzed:
    """Run one target for so long."""
    with tempfile.TemporaryDirectory() as temporary:
        corpus = Path(temporary)
        unpack(target, corpus)
        ended = _libfuzzer(
            target, str(corpus), f"-max_total_time={seconds}", f"-max_len={_LONGEST}", "-timeout=10"
        )
        said = ended.stderr + ended.stdout
        kept = len(list(corpus.iterdir()))
        if keeps and not ended.returncode:
            kept = keep(target, corpus)
    executions, edges = _EXECUTIONS.search(said), _COVERAGE.findall(said)
    fault = "\n".join(said.splitlines()[-40:]) if ended.returncode else ""
    return Fuzzed(
        target.name, int(executions[1]) if executions else 0, int(edges[-1]) if edges else 0, kept, fault
    )


def _libfuzzer(target: Target, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.fuzzing.fuzz_one", target.name, "-print_final_stats=1"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


if __name__ == "__main__":
    typer.run(main)
