"""The hazard stage: what a device's tools find in a kernel that gives right results."""

from __future__ import annotations

from pathlib import Path

from sandbox.device import Fault, Inspection
from sandbox.verdict import Verdict
from tools.local_toolbox import LocalToolbox
from tools.parts import local_parts
from tools.tasks.task import Task
from tools.toolbox import CheckOrder


async def test_a_thorough_check_on_the_simulator_says_that_there_is_nothing_to_add(
    doubling: Task, tmp_path: Path
) -> None:
    async with LocalToolbox("sim:h200", cache=tmp_path, workers=1) as toolbox:
        report = await toolbox.do(CheckOrder(doubling, doubling.baseline, profile=False, thorough=True))
        ordinary = await toolbox.do(CheckOrder(doubling, doubling.baseline, profile=False))
    assert report.verdict is Verdict.PASS
    assert [stage.name for stage in report.stages] == ["compile", "test", "hazards"]
    assert report.hazards is not None
    assert "nothing to add" in report.hazards.message
    assert "nothing to add" not in report.message
    assert ordinary.hazards is None


async def test_a_hazard_in_a_kernel_with_right_results_is_the_verdict(
    doubling: Task, tmp_path: Path, monkeypatch
) -> None:
    parts = local_parts("sim:h200", tmp_path, 1)
    seen: list[tuple[int, float]] = []

    async def inspect(program, plan, inputs, *, deadline_s):
        seen.append((inputs["x"].size, deadline_s))
        if inputs["x"].size == 300:
            return Inspection(None, "memcheck found nothing", ("memcheck",))
        fault = Fault(Verdict.RACE, "Race reported", kernel="twice", line=4)
        return Inspection(fault, "racecheck: Race reported", ("memcheck", "racecheck"))

    monkeypatch.setattr(parts.device, "inspect", inspect)
    async with LocalToolbox(cache=tmp_path, parts=parts) as toolbox:
        report = await toolbox.do(CheckOrder(doubling, doubling.baseline, thorough=True))
    assert seen == [(300, 120.0), (33, 120.0)], "the largest case comes first"
    assert report.verdict is Verdict.RACE
    assert report.message == "racecheck: Race reported (line 4); at n=33."
    assert report.hazards is not None
    assert report.hazards.fault is not None
    assert report.hazards.tools == ("memcheck", "racecheck")
    assert report.stages[-1].name == "hazards"
