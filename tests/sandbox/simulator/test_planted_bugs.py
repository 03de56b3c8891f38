"""Planted bugs: each a small mutation of a correct kernel, judged as a user's kernel would be.

`planted/` holds task folders; `bugs.toml` in each lists what is replaced by what, why that is wrong, and the
verdicts that are right to give, and says `families = true` where other data than the task's own find a bug. Run with -s to see how many are caught and how many correct twins are accused.
"""

from __future__ import annotations

import asyncio
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sandbox.verdict import Verdict
from tests.sandbox.simulator.in_process import Compiles, Simulator, in_lock_step, toolbox
from tools.judge.freezing import store_frozen, uncalibrated
from tools.tasks.folder import load
from tools.tasks.task import Task
from tools.toolbox import TestOrder

PLANTED = Path(__file__).parent / "planted"
NAMES = sorted(path.parent.name for path in PLANTED.glob("*/bugs.toml"))
SEED = 20
RUN_S = 0.6


@dataclass(frozen=True)
class Bug:
    """One mutation; `lock_step` where a device whose threads keep step would give the right result."""

    name: str
    old: str
    new: str
    why: str
    verdicts: tuple[Verdict, ...]
    lock_step: bool

    def plant(self, task: Task) -> str:
        assert task.baseline.count(self.old) == 1, (task.name, self.name)
        return task.baseline.replace(self.old, self.new)


@dataclass(frozen=True)
class Outcome:
    """What became of a kernel and its mutations."""

    accusation: str
    missed: tuple[str, ...]
    bugs: int
    lock_step: int
    vague: tuple[str, ...] = ()


def table_of(name: str) -> dict[str, Any]:
    return tomllib.loads((PLANTED / name / "bugs.toml").read_text())


def bugs_of(name: str) -> list[Bug]:
    return [
        Bug(
            bug["name"],
            bug["old"],
            bug["new"],
            bug["why"],
            tuple(Verdict(verdict) for verdict in bug["verdicts"]),
            bug.get("right_in_lock_step", False),
        )
        for bug in table_of(name)["bug"]
    ]


async def judge(name: str, folder: Path) -> Outcome:
    task = load(PLANTED / name)
    device, compiler = Simulator(), Compiles()
    missed: list[str] = []
    vague: list[str] = []
    bugs = bugs_of(name)
    if not table_of(name).get(
        "families", False
    ):  # bounds as strict as they get, and the task's own data alone
        store_frozen(folder, task, device.name, uncalibrated(task))
    async with toolbox(folder, device, compiler, RUN_S, seeds=1) as box:
        honest = await box.do(TestOrder(task, task.baseline, seed=SEED))
        notes = [note for note in device.notes if not note.endswith("benign")]
        accusation = honest.message if honest.verdict is not Verdict.PASS else "".join(notes)
        for bug in bugs:
            report = await box.do(TestOrder(task, bug.plant(task), seed=SEED))
            if report.verdict not in bug.verdicts:
                missed.append(f"{name}: {bug.name}: {report.verdict}: {report.message}")
            fault = report.cases[-1].fault if report.cases else None
            if fault is not None and (fault.line is None or fault.block is None or fault.thread is None):
                vague.append(f"{name}: {bug.name}: {fault.message}")
            if bug.lock_step:
                missed += await right_in_lock_step(compiler, task, bug)
    return Outcome(accusation, tuple(missed), len(bugs), sum(bug.lock_step for bug in bugs), tuple(vague))


async def right_in_lock_step(compiler: Compiles, task: Task, bug: Bug) -> list[str]:
    right = await in_lock_step(task, task.baseline, compiler, SEED)
    found = await in_lock_step(task, bug.plant(task), compiler, SEED)
    if all(right[name].tobytes() == found[name].tobytes() for name in right):
        return []
    return [f"{task.name}: {bug.name}: not right in lock step"]


@dataclass(frozen=True)
class Judged:
    """Outcomes by kernel, each judged once, when first asked for."""

    folder: Path
    kept: dict[str, Outcome] = field(default_factory=dict[str, Outcome])

    def __getitem__(self, name: str) -> Outcome:
        if name not in self.kept:
            self.kept[name] = asyncio.run(judge(name, self.folder / name))
        return self.kept[name]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return Judged(tmp_path_factory.mktemp("frozen"))


@pytest.mark.parametrize("name", NAMES)
def test_every_planted_bug_is_caught_and_its_correct_twin_is_not_accused(outcomes: Judged, name: str):
    assert not outcomes[name].missed, "\n".join(outcomes[name].missed)
    assert not outcomes[name].accusation


@pytest.mark.parametrize("name", NAMES)
def test_every_fault_names_line_block_and_thread(outcomes: Judged, name: str):
    assert not outcomes[name].vague, "\n".join(outcomes[name].vague)


def test_the_suite_is_large_varied_and_rich_in_what_lock_step_would_hide(
    outcomes: Judged, capsys: pytest.CaptureFixture[str]
):
    found = [outcomes[name] for name in NAMES]
    bugs, lock_step = sum(one.bugs for one in found), sum(one.lock_step for one in found)
    caught = bugs - sum(len(one.missed) for one in found)
    alarms = sum(bool(one.accusation) for one in found)
    with capsys.disabled():
        of_them = f"{lock_step} of them right in lock step"
        sys.stdout.write(f"\ncaught {caught} / {bugs} ({of_them}), false alarms {alarms} / {len(found)}\n")
    assert bugs >= 200
    assert lock_step >= 40
    assert len(found) >= 25
