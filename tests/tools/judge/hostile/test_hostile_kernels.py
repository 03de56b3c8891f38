"""Kernels that cheat, err or attack, each with the verdict it must get; and honest ones, which must pass.

The table is in table/*.toml. An entry has a name, a task (a folder of tasks/, or one of examples/tasks), and
the kernel: a whole file (`text`), or edits of another one (`edit`, of `twin`; else of the task's baseline).
`verdicts` are those that count as right; an honest kernel's is `pass`. `number` is that of the test (E) or
positive control (C) in the project's list of adversarial tests: forty and eight. `gpu` says why only a GPU can
show it; `flag` is what the report must warn of; `benches` asks for a verdict at the benchmark's shapes too.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sandbox.verdict import Verdict
from tools.local_toolbox import LocalToolbox
from tools.parts import Limits
from tools.reports import CheckReport
from tools.tasks.folder import find, load
from tools.tasks.task import Task
from tools.toolbox import CheckOrder, TestOrder

HERE = Path(__file__).parent
OWN_TASKS = {folder.name: folder for folder in sorted((HERE / "tasks").iterdir())}
ENDLESS_S = 0.4
"""The deadline of a run for kernels that must reach it."""


@dataclass(frozen=True)
class Entry:
    name: str
    task: str
    kernel: str
    verdicts: frozenset[Verdict]
    twin: str | None
    kind: str
    numbers: tuple[str, ...]
    flag: str | None
    benches: bool

    @property
    def endless(self) -> bool:
        return Verdict.TIMEOUT in self.verdicts


@cache
def task(name: str) -> Task:
    return load(OWN_TASKS[name]) if name in OWN_TASKS else find(name)


def tables() -> dict[str, list[dict[str, Any]]]:
    paths = sorted((HERE / "table").glob("*.toml"))
    return {path.stem: tomllib.loads(path.read_text())["kernel"] for path in paths}


def edited(text: str, edits: Iterable[tuple[str, str]], name: str) -> str:
    for old, new in edits:
        assert old in text, f"{name}: the twin has no {old!r}"
        text = text.replace(old, new)
    return text


@cache
def entries() -> tuple[Entry, ...]:
    listed = [
        {**row, "kind": "honest" if stem == "honest" else "hostile"}
        for stem, rows in tables().items()
        for row in rows
        if stem != "only_a_gpu"
    ]
    baselines = [
        {"name": f"{name} baseline", "task": name, "verdicts": ["pass"], "kind": "honest", "edit": []}
        for name in sorted({row["task"] for row in listed})
    ]
    rows = {row["name"]: row for row in [*baselines, *listed]}
    assert len(rows) == len(baselines) + len(listed), "a name is used twice"
    return tuple(entry(row, rows) for row in rows.values())


def entry(row: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> Entry:
    twin = row.get("twin", f"{row['task']} baseline")
    return Entry(
        name=row["name"],
        task=row["task"],
        kernel=kernel_of(row, rows) + "/" * row.get("padding", 0),
        verdicts=frozenset(Verdict(name) for name in row["verdicts"]),
        twin=None if twin == row["name"] else twin,
        kind=row["kind"],
        numbers=tuple(row.get("number", "").split()),
        flag=row.get("flag"),
        benches=row.get("benches", False),
    )


def kernel_of(row: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> str:
    if "text" in row:
        return row["text"]
    if row["name"].endswith(" baseline"):
        return task(row["task"]).baseline
    twin = rows[row.get("twin", f"{row['task']} baseline")]
    return edited(kernel_of(twin, rows), row["edit"], row["name"])


async def judge_all(cache_folder: Path) -> dict[str, CheckReport]:
    async with AsyncExitStack() as stack:
        usual = await stack.enter_async_context(LocalToolbox("sim:h200", cache=cache_folder))
        for name in sorted({entry.task for entry in entries()}):  # frozen with time to spare
            await usual.do(TestOrder(task(name), task(name).baseline))
        limits = Limits(compile_s=5.0, run_s=ENDLESS_S)
        hurried = await stack.enter_async_context(LocalToolbox("sim:h200", cache=cache_folder, limits=limits))
        slots = asyncio.Semaphore(3)

        async def judge(entry: Entry) -> CheckReport:
            async with slots:
                box = hurried if entry.endless else usual
                return await box.do(CheckOrder(task(entry.task), entry.kernel, profile=entry.benches))

        reports = await asyncio.gather(*(judge(entry) for entry in entries()))
    return {entry.name: report for entry, report in zip(entries(), reports, strict=True)}


def missed(entry: Entry, report: CheckReport) -> str | None:
    if report.verdict not in entry.verdicts:
        wanted = " or ".join(sorted(entry.verdicts))
        return f"{entry.name}: expected {wanted}, got {report.verdict}: {report.message}"
    if entry.flag is not None and entry.flag not in flags(report):
        return f"{entry.name}: the report does not warn of {entry.flag}, but of {flags(report)}"
    return None


def flags(report: CheckReport) -> list[str]:
    found = report.compile.suspicions if report.compile else ()
    return [suspicion.construct for suspicion in found]


@pytest.mark.timeout(300)
async def test_every_hostile_kernel_gets_its_verdict_and_every_honest_one_passes(
    tmp_path: Path, summary_lines: list[str]
) -> None:
    reports = await judge_all(tmp_path)
    misses = {entry.name: missed(entry, reports[entry.name]) for entry in entries()}
    for kind, word in (("hostile", "caught"), ("honest", "passed")):
        group = [entry for entry in entries() if entry.kind == kind]
        good = sum(misses[entry.name] is None for entry in group)
        summary_lines.append(f"{kind}: {word} {good} / {len(group)}")
    wrong = [text for text in misses.values() if text is not None]
    assert not wrong, "\n".join(wrong)


def test_every_honest_twin_is_in_the_table_and_must_pass() -> None:
    honest = {entry.name: entry for entry in entries() if entry.kind == "honest"}
    assert all(entry.verdicts == {Verdict.PASS} for entry in honest.values())
    for entry in entries():
        if entry.kind != "honest" and entry.twin is not None:
            assert honest[entry.twin].task == entry.task, entry.name


def test_the_suite_is_large_and_holds_every_test_and_control_of_the_list() -> None:
    kinds = [entry.kind for entry in entries()]
    assert kinds.count("hostile") >= 60
    assert kinds.count("honest") >= 25
    numbers = {
        number for rows in tables().values() for row in rows for number in row.get("number", "").split()
    }
    assert numbers == {f"E{n}" for n in range(1, 41)} | {f"C{n}" for n in range(1, 9)}


def test_a_hostile_kernel_passes_only_where_every_run_computes_honestly() -> None:
    """A memo and a counter find their globals restored; such a kernel must be flagged instead."""
    hostile = [entry for entry in entries() if entry.kind == "hostile"]
    assert all(entry.flag for entry in hostile if Verdict.PASS in entry.verdicts)


@pytest.mark.parametrize("row", tables()["only_a_gpu"], ids=lambda row: row["name"])
def test_what_only_a_gpu_can_show(row: dict[str, Any]) -> None:
    pytest.skip(f"needs a GPU: {row['gpu']}")
