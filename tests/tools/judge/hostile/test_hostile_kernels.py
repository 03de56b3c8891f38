"""Kernels that cheat, err or attack, each with the verdict it must get; and honest ones, which must pass.

The table is in table/*.toml. An entry has a name, a task (a folder of tasks/, or one of examples/tasks), and
the kernel: a whole file (`text`), or edits of another one (`edit`, of `twin`; else of the task's baseline).
`verdicts` are those that count as right; an honest kernel's is `pass`. `number` is that of the test (E) or
positive control (C) in the project's list of adversarial tests: forty and eight. `gpu` says why only a GPU can
show it; `flag` is what the report must warn of; `benches` asks for a verdict at the benchmark's shapes too.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sandbox import budget
from sandbox.verdict import Verdict
from tests import few_sizes
from tests.exhaustive import IDIOM_SEEDS
from tests.sandbox.simulator.in_process import Compiles, Simulator, frozen_once, toolbox
from tools.awaiting import together
from tools.local_toolbox import LocalToolbox
from tools.parts import Limits
from tools.reports import CheckReport
from tools.tasks.folder import find, load
from tools.tasks.task import Task
from tools.toolbox import CheckOrder, TestOrder

HERE = Path(__file__).parent
OWN_TASKS = {folder.name: folder for folder in sorted((HERE / "tasks").iterdir())}
LEFT_OUT = {
    "attention": ({"length": 64, "heads": 4, "width": 8}, {"length": 67, "heads": 2, "width": 32}),
    "row_mean": ({"rows": 2, "cols": 4096},),
    "scan": ({"n": 3001},),
    "softmax": ({"rows": 33, "cols": 1031},),
    "sort": ({"n": 32}, {"n": 49}),
    "top_k": ({"n": 129, "k": 17}, {"n": 129, "k": 40}, {"n": 257, "k": 9}),
}
"""Sizes of tasks that take seconds, and at which no kernel here shows what it does not show at another."""


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

    @property
    def needs_workers(self) -> bool:
        """Whether it must be stopped from outside, or is stopped by what a compiler may reach."""
        return bool(self.verdicts & {Verdict.TIMEOUT, Verdict.RESOURCE_LIMIT, Verdict.COMPILE_ERROR})


@cache
def task(name: str) -> Task:
    whole = load(OWN_TASKS[name]) if name in OWN_TASKS else find(name)
    return few_sizes.without(whole, LEFT_OUT.get(name, ()))


@cache
def small(name: str) -> Task:
    """A task at its two least sizes: what runs there without end gets no further."""
    return few_sizes.first(task(name), 2)


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


async def judge(
    box: LocalToolbox, judged: Iterable[Entry], of: Callable[[str], Task] = task
) -> dict[Entry, str | None]:
    """What is wrong with each report, an honest kernel's under many seeds where asked for; None where nothing is."""
    found: dict[Entry, str | None] = {}
    for one in judged:
        for seed in range(IDIOM_SEEDS) if one.kind == "honest" and IDIOM_SEEDS else (None,):
            report = await box.do(CheckOrder(of(one.task), one.kernel, seed=seed, profile=one.benches))
            found[one] = found.get(one) or missed(one, report)
    return found


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


def settle(misses: Mapping[Entry, str | None], record_property: Callable[[str, object], None]) -> None:
    for kind in ("hostile", "honest"):
        group = [miss for one, miss in misses.items() if one.kind == kind]
        record_property(kind, (sum(miss is None for miss in group), len(group)))
    wrong = [text for text in misses.values() if text is not None]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", sorted({entry.task for entry in entries()}))
async def test_every_hostile_kernel_of_a_task_gets_its_verdict_and_every_honest_one_passes(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    judged = [one for one in entries() if one.task == name and not one.needs_workers]
    misses: dict[Entry, str | None] = {}
    for benches in (False, True):  # of those at benchmark shapes, registers count
        compiler = Compiles(assembled=benches)
        async with toolbox(frozen_once(), Simulator(), compiler, run_s=60) as box:
            misses |= await judge(box, (one for one in judged if one.benches is benches))
    settle(misses, record_property)


async def test_what_attacks_the_compiler_or_has_no_end_gets_its_verdict_from_real_workers(
    tmp_path: Path, record_property: Callable[[str, object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "FLOOR_STEPS", 10_000)  # what has no end has none after a few of the steps
    judged = [one for one in entries() if one.needs_workers]
    assert len(judged) >= 10
    async with AsyncExitStack() as stack:
        usual = await stack.enter_async_context(LocalToolbox("sim:h200", cache=tmp_path))
        for name in sorted({one.task for one in judged}):  # frozen with time to spare
            assert (await usual.do(TestOrder(small(name), small(name).baseline))).verdict is Verdict.PASS
        limits = Limits(compile_s=2.0)
        hurried = await stack.enter_async_context(LocalToolbox("sim:h200", cache=tmp_path, limits=limits))
        misses = await together(judge(hurried if one.endless else usual, [one], small) for one in judged)
    settle({one: miss for found in misses for one, miss in found.items()}, record_property)


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
