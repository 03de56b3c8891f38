"""Planted bugs: each a small mutation of a correct kernel, judged as a user's kernel would be.

`planted/` holds task folders; `bugs.toml` in each lists what is replaced by what, why that is wrong, and the
verdicts that are right to give. Run with -s to see how many are caught and how many correct twins are accused.
"""

from __future__ import annotations

import asyncio
import sys
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from in_process import Simulator, toolbox

from sandbox.verdict import Verdict
from tools.local_toolbox import LocalToolbox
from tools.task import Task
from tools.task_folder import load

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


def bugs_of(name: str) -> list[Bug]:
    table = tomllib.loads((PLANTED / name / "bugs.toml").read_text())
    return [
        Bug(
            bug["name"],
            bug["old"],
            bug["new"],
            bug["why"],
            tuple(Verdict(verdict) for verdict in bug["verdicts"]),
            bug.get("right_in_lock_step", False),
        )
        for bug in table["bug"]
    ]


async def judge(name: str, folder: Path) -> Outcome:
    task = load(PLANTED / name)
    device = Simulator()
    missed: list[str] = []
    vague: list[str] = []
    bugs = bugs_of(name)
    async with (
        toolbox(folder, device, RUN_S) as box,
        toolbox(folder, Simulator(hazards=False), RUN_S) as step,
    ):
        honest = await box.test(task, task.baseline, seed=SEED)
        notes = [note for note in device.notes if not note.endswith("benign")]
        accusation = honest.message if honest.verdict is not Verdict.PASS else "".join(notes)
        for bug in bugs:
            report = await box.test(task, bug.plant(task), seed=SEED)
            if report.verdict not in bug.verdicts:
                missed.append(f"{name}: {bug.name}: {report.verdict}: {report.message}")
            fault = report.cases[-1].fault if report.cases else None
            if fault is not None and (fault.line is None or fault.block is None or fault.thread is None):
                vague.append(f"{name}: {bug.name}: {fault.message}")
            if bug.lock_step:
                missed += await right_in_lock_step(step, task, bug)
    return Outcome(accusation, tuple(missed), len(bugs), sum(bug.lock_step for bug in bugs), tuple(vague))


async def right_in_lock_step(step: LocalToolbox, task: Task, bug: Bug) -> list[str]:
    one = replace(task, tests=task.tests[-1:])
    report = await step.test(one, bug.plant(task), seed=SEED)
    return [] if report.verdict is Verdict.PASS else [f"{task.name}: {bug.name}: not right in lock step"]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Every kernel's outcome, judged once for all tests here."""
    folder = tmp_path_factory.mktemp("frozen")
    return {name: asyncio.run(judge(name, folder / name)) for name in NAMES}


def test_every_planted_bug_is_caught_and_no_correct_twin_is_accused(
    outcomes: dict[str, Outcome], capsys: pytest.CaptureFixture[str]
):
    total = sum(outcome.bugs for outcome in outcomes.values())
    missed = [line for outcome in outcomes.values() for line in outcome.missed]
    accused = [f"{name}: {one.accusation}" for name, one in outcomes.items() if one.accusation]
    with capsys.disabled():
        caught = f"caught {total - len(missed)} / {total}"
        sys.stdout.write(f"\n{caught}, false alarms {len(accused)} / {len(outcomes)}\n")
    assert not missed, "\n".join(missed)
    assert not accused, "\n".join(accused)
    assert total >= 200
    assert len(outcomes) >= 25


def test_many_of_them_would_be_right_if_all_threads_kept_step(outcomes: dict[str, Outcome]):
    assert sum(outcome.lock_step for outcome in outcomes.values()) >= 40


def test_every_fault_names_line_block_and_thread(outcomes: dict[str, Outcome]):
    vague = [line for outcome in outcomes.values() for line in outcome.vague]
    assert not vague, "\n".join(vague)
