"""Second opinions stand beside a verdict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.plan import Launch
from sandbox.program import Program
from sandbox.proof.opinion import LaunchProof, Opinion
from sandbox.verdict import Verdict
from tests.sandbox.simulator.in_process import Answers, Compiles, Simulator
from tools.judge.freezing import store_frozen, uncalibrated
from tools.local_toolbox import LocalToolbox
from tools.parts import ToolboxParts
from tools.reports import CheckReport
from tools.tasks.task import Task
from tools.toolbox import CheckOrder


class Verifier:
    """Has one opinion on everything."""

    def __init__(self, opinion: Opinion) -> None:
        self._opinion = opinion
        self.asked: list[tuple[int, int, int]] = []

    def check(self) -> None: ...

    async def prove(self, program: Program, launch: Launch, *, seconds: float) -> LaunchProof:
        self.asked.append(launch.grid)
        return LaunchProof(launch.kernel, launch.line, self._opinion, "as it is")

    async def aclose(self) -> None: ...


async def checked(tmp_path: Path, task: Task, verifier: Verifier, kernel: str) -> CheckReport:
    store_frozen(tmp_path, task, Simulator.name, uncalibrated(task))
    parts = ToolboxParts(Compiles(), Answers(), Simulator(), "none", prover=verifier)
    async with LocalToolbox("sim:h200", cache=tmp_path, parts=parts) as box:
        return await box.do(CheckOrder(task, kernel, profile=False, prove=True))


@pytest.mark.parametrize("opinion", list(Opinion))
async def test_no_opinion_changes_a_verdict(tmp_path: Path, doubling: Task, opinion: Opinion) -> None:
    verifier = Verifier(opinion)
    report = await checked(tmp_path, doubling, verifier, doubling.baseline)
    assert report.verdict is Verdict.PASS
    assert report.proof is not None
    assert (report.proof.opinion, report.proof.dims) == (opinion, {"n": 300})
    assert verifier.asked == [(3, 1, 1)]


async def test_a_kernel_that_fails_is_asked_about_too(tmp_path: Path, doubling: Task) -> None:
    wrong = doubling.baseline.replace("2.0f", "3.0f")
    report = await checked(tmp_path, replace(doubling), Verifier(Opinion.PROVED), wrong)
    assert report.verdict is Verdict.WRONG_RESULT
    assert report.proof is not None
    assert report.proof.opinion is Opinion.PROVED
