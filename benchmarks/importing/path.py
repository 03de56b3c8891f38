"""From a KernelBench file to an exported kernel, timed: `python -m benchmarks.importing.path`.

Runs the commands that docs/importing.md names, each as its own process, in a home and a folder of their own; prints
the seconds that each took. `--problem FILE.py` takes another problem, `--to FORM` another form.
"""

# ruff: noqa: T201 - what it prints is what it is for

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROBLEM = Path(__file__).with_name("problems") / "level1" / "layer_norm.py"
FORM = "torch"
STEPS = (
    "warpwright import-kernelbench FILE.py",
    "warpwright optimize TASK --candidates 4 --depth 2",
    "warpwright export RUN --to FORM -o PACKAGE",
    "warpwright check PACKAGE/kernels/kernel.cu --task PACKAGE/task",
)
"""The commands, as docs/importing.md has them; words in capitals stand for what the step before gave."""
LIMIT_S = 300.0
PROGRAM = (sys.executable, "-m", "warpwright")


@dataclass(frozen=True)
class TimedStep:
    """A command that ran, the seconds it took, and its JSON; `error` where it failed."""

    command: str
    seconds: float
    told: object
    error: str = ""


def walked(problem: Path, form: str, folder: Path, program: Sequence[str] = PROGRAM) -> Iterator[TimedStep]:
    """Run the steps one after the other, as far as they go.

    Args:
        problem: In KernelBench's format.
        form: Of the export.
        folder: Where everything is made; empty.
        program: What `warpwright` means.
    """
    words = {"FILE.py": str(problem.absolute()), "FORM": form, "PACKAGE": "package"}
    environment = {**os.environ, "WARPWRIGHT_HOME": str(folder / "home")}
    for step in STEPS:
        command = _filled(step, words)
        whole = [*program, *command.split()[1:], *([] if "export" in step else ["--json"])]
        done = _timed(command, whole, folder, environment)
        yield done
        if done.error:
            return
        match done.told:
            case [{"folder": str(task)}]:
                words["TASK"] = task
            case {"run": str(run)}:
                words["RUN"] = run
            case _:
                pass


def _filled(step: str, words: Mapping[str, str]) -> str:
    for word, meant in words.items():
        step = step.replace(word, meant)
    return step


def _timed(command: str, program: Sequence[str], folder: Path, environment: Mapping[str, str]) -> TimedStep:
    begun = time.monotonic()
    ran = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - begun
    error = "" if ran.returncode == 0 else ran.stderr.strip()[-500:] or f"exit status {ran.returncode}"
    told = json.loads(ran.stdout) if program[-1] == "--json" and not error else None
    return TimedStep(command, seconds, told, error)


def main(arguments: Sequence[str] | None = None) -> int:
    """Walk the way and print its seconds; 1 where a step failed, or all of them took longer than five minutes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.importing.path", description=__doc__)
    parser.add_argument("--problem", type=Path, default=PROBLEM, metavar="FILE.py")
    parser.add_argument("--to", default=FORM, metavar="FORM")
    options = parser.parse_args(arguments)
    total = 0.0
    with tempfile.TemporaryDirectory(prefix="warpwright-path-") as folder:
        for step in walked(options.problem, options.to, Path(folder)):
            total += step.seconds
            shown = step.command.replace(str(options.problem.absolute()), options.problem.name)
            print(f"{step.seconds:7.1f} s  {shown.replace(f'{folder}/', '')}", flush=True)
            if step.error:
                print(step.error, file=sys.stderr)
                return 1
    print(f"{total:7.1f} s  in all, of {LIMIT_S:.0f}")
    return 0 if total <= LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
