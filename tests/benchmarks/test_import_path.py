"""The timed way from a KernelBench file to an exported kernel: the commands of the page, each given what came before."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.importing.path import PROBLEM, STEPS, TimedStep, walked

PAGE = Path(__file__).parents[2] / "docs" / "importing.md"
PROGRAM = """\
import json, sys
words = sys.argv[1:]
if words[0] == FAILS:
    sys.exit("no such thing")
answers = {"import-kernelbench": [{"folder": "/made/task"}], "optimize": {"run": "run-1"}, "check": {}}
print(json.dumps(answers.get(words[0])) if "--json" in words else "a package")
"""


def steps(folder: Path, fails: str) -> list[TimedStep]:
    (folder / "program.py").write_text(PROGRAM.replace("FAILS", repr(fails)))
    return list(walked(PROBLEM, "torch", folder, (sys.executable, str(folder / "program.py"))))


def test_the_commands_are_those_of_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for step in STEPS:
        assert f"    {step}\n" in page


def test_each_command_takes_what_the_one_before_it_gave(tmp_path: Path) -> None:
    found = [step.command for step in steps(tmp_path, "nothing")]
    assert found == [
        f"warpwright import-kernelbench {PROBLEM}",
        "warpwright optimize /made/task --candidates 4 --depth 2",
        "warpwright export run-1 --to torch -o package",
        "warpwright check package/kernels/kernel.cu --task package/task",
    ]


@pytest.mark.parametrize("fails", ["import-kernelbench", "export"])
def test_it_ends_where_a_command_fails(fails: str, tmp_path: Path) -> None:
    found = steps(tmp_path, fails)
    assert f"warpwright {fails}" in found[-1].command
    assert found[-1].error == "no such thing"
    assert not any(step.error for step in found[:-1])
