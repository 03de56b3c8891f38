"""Right kernels in the styles that people really write: each must pass, at two sizes that divide nothing.

The table is in table/*.toml. An entry has a name, a kernel file and its task in short: `args`, each "ROLE NAME DTYPE[SHAPE]
DATA"; `reference`, an expression in NumPy of the inputs and dims; where needed `magnitude`, another one, and `compare`, a
function's body; `sizes` where they are not the usual ones. `waits_for` says why an entry fails today, and must then fail.
WARPWRIGHT_IDIOM_SEEDS judges each under that many seeds, and WARPWRIGHT_EXHAUSTIVE=1 once, as a task of its own: on every
family of values too, which is seven times the work.
"""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sandbox.verdict import Verdict
from tests.exhaustive import EXHAUSTIVE, IDIOM_SEEDS
from tests.sandbox.simulator.in_process import Compiles, Simulator, toolbox
from tools.judge.freezing import store_frozen, uncalibrated
from tools.tasks.folder import load
from tools.tasks.task import Task
from tools.toolbox import TestOrder

TABLES = sorted((Path(__file__).parent / "table").glob("*.toml"))
ENTRIES = [entry for path in TABLES for entry in tomllib.loads(path.read_text())["idiom"]]
SIZES = [{"n": 97}, {"n": 1031}]
ARGUMENT = re.compile(r"(inout|in|out|scalar|scratch) (\w+) (\w+)(?:\[(.*?)\])?(?: (\w+\(.*\)))?")


def arguments(entry: Mapping[str, Any]) -> list[dict[str, str]]:
    """The arguments of a task; scratch is the kernel file's own."""
    found: list[dict[str, str]] = []
    for text in entry["args"].split("; "):
        match = ARGUMENT.fullmatch(text)
        assert match, f"{entry['name']}: {text}"
        keys = ("role", "name", "dtype", "shape", "data")
        found.append({key: value for key, value in zip(keys, match.groups(), strict=True) if value})
    return found


def task(entry: Mapping[str, Any], folder: Path) -> Task:
    """Write an entry's task folder, its kernel as the baseline, and load it."""
    sizes: list[dict[str, int]] = entry.get("sizes", SIZES)
    given, dims = arguments(entry), list(sizes[0])
    lines = ['name = "idiom"', f"summary = {json.dumps(entry['name'])}", f"dims = {json.dumps(dims)}"]
    lines.append(f"deterministic = {json.dumps(entry.get('deterministic', True))}")
    for one in given:
        if one["role"] != "scratch":
            lines += ["[[args]]", *(f"{key} = {json.dumps(value)}" for key, value in one.items())]
    lines += ["[cost]", 'flops = "1"', 'bytes = "1"']
    for kind, size in [*(("test", size) for size in sizes), ("bench", sizes[-1])]:
        lines += [f"[[{kind}]]", "dims = { " + ", ".join(f"{k} = {v}" for k, v in size.items()) + " }"]
    scratch = [
        f"//@ scratch {a['name']}: {a['dtype']}[{a['shape']}]" for a in given if a["role"] == "scratch"
    ]
    names = [a["name"] for a in given if a["role"] in {"in", "inout", "scalar"}] + dims
    files = {
        "task.toml": "\n".join(lines),
        "reference.py": reference(entry, names),
        "baseline.cu": "\n".join([*scratch, entry["kernel"].lstrip()]),
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    return load(folder)


def reference(entry: Mapping[str, Any], names: list[str]) -> str:
    """reference.py of an entry."""
    given = ", ".join(names)
    parts = ['"""What is right."""', "import numpy as np", "def ceil_div(a, b):\n    return -(-a // b)"]
    named = [name for name in ("reference", "magnitude") if name in entry]
    parts += [f"def {name}({given}):\n    return {entry[name]}" for name in named]
    if "compare" in entry:
        body = textwrap.indent(textwrap.dedent(entry["compare"]).strip(), "    ")
        parts.append(f"def compare(outputs, expected, inputs):\n{body}")
    return "\n\n\n".join(parts) + "\n"


def listed() -> list[Any]:
    """The entries, those marked that wait for something."""
    return [
        pytest.param(
            entry,
            id=entry["name"],
            marks=[pytest.mark.xfail(reason=entry["waits_for"], strict=True)] if "waits_for" in entry else [],
        )
        for entry in ENTRIES
    ]


@pytest.mark.parametrize("entry", listed())
async def test_a_right_kernel_in_a_common_style_passes(entry: Mapping[str, Any], tmp_path: Path) -> None:
    (tmp_path / "task").mkdir()
    judged = task(entry, tmp_path / "task")
    whole = EXHAUSTIVE or IDIOM_SEEDS > 0
    if not whole:  # bounds as strict as they get, and the task's own data alone
        store_frozen(tmp_path, judged, Simulator.name, uncalibrated(judged))
    async with toolbox(tmp_path, Simulator(), Compiles(), seeds=1) as box:
        for seed in range(1, 1 + IDIOM_SEEDS) if IDIOM_SEEDS else [None]:
            report = await box.do(TestOrder(judged, judged.baseline, seed=seed))
            assert report.verdict is Verdict.PASS, f"seed {seed}: {report.message}"


def test_the_suite_is_large_and_no_size_divides_a_block() -> None:
    assert len({entry["name"] for entry in ENTRIES}) == len(ENTRIES) >= 40
    for entry in ENTRIES:
        sizes = entry.get("sizes", SIZES)
        assert len(sizes) >= 2, entry["name"]
        assert all(size % 2 for case in sizes for size in case.values()), entry["name"]
