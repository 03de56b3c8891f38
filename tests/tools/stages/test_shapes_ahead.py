"""The shapes of a kernel that is judged once more are judged beside its tests."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.verdict import Provenance, Verdict
from tools import progress
from tools.judge.freezing import Frozen
from tools.reports import CheckReport, ProfileReport, TestReport
from tools.stages.judgement import CheckContext
from tools.stages.profiling import ProfileStage
from tools.stages.shapes import JudgedShapes
from tools.stages.shapes_ahead import ShapesAhead
from tools.tasks.task import Task
from tools.toolbox import CheckOrder

JUDGED = JudgedShapes(TestReport(Verdict.PASS, "right"))


class Timed(ProfileStage):
    verdict = Verdict.PASS

    async def profile(self, *_: Any, **__: Any) -> ProfileReport:
        return ProfileReport(self.verdict, "")


class Failed(Timed):
    verdict = Verdict.UNSUPPORTED


class Shapes:
    def __init__(self) -> None:
        self.begun, self.may_end, self.asked = asyncio.Event(), asyncio.Event(), 0

    async def judge(self, context: CheckContext) -> JudgedShapes:
        self.asked += 1
        self.begun.set()
        progress.begin("shapes")
        await self.may_end.wait()
        return JUDGED


def context(task: Task, **order: Any) -> CheckContext:
    blank = CheckReport(
        verdict=Verdict.PASS, task=task.name, device="sim:h200", provenance=Provenance.COUNTED,
        message="", isolation="", kernel_sha="", task_sha="",
    )  # fmt: skip
    return CheckContext(CheckOrder(task, "", **order), Frozen({}, (), {}), 1, blank)


def ahead(shapes: Shapes, kind: type = Timed) -> ShapesAhead:
    profiling = kind(None, None, None) if issubclass(kind, ProfileStage) else kind()
    return ShapesAhead(shapes, profiling)


async def test_shapes_of_a_thorough_check_are_judged_meanwhile_and_once(doubling: Task) -> None:
    shapes, account = Shapes(), progress.Account()
    with progress.told_to(account):
        async with ahead(shapes) as early:
            early.begin(context(doubling, thorough=True))
            await asyncio.wait_for(shapes.begun.wait(), 5)
            shapes.may_end.set()
            assert await early.judge(context(doubling, thorough=True)) is JUDGED
    assert shapes.asked == 1
    assert account.lines == []


@pytest.mark.parametrize(
    ("order", "kind"),
    [({}, Timed), ({"thorough": True, "benches": False}, Timed), ({"thorough": True}, SimpleNamespace)],
)
async def test_no_other_check_and_no_device_that_measures_begins_early(
    doubling: Task, order: dict[str, bool], kind: type
) -> None:
    shapes = Shapes()
    shapes.may_end.set()
    async with ahead(shapes, kind) as early:
        early.begin(context(doubling, **order))
        await asyncio.sleep(0)
        assert shapes.asked == 0
        assert await early.judge(context(doubling, **order)) is JUDGED


async def test_a_kernel_that_cannot_be_timed_is_not_judged_early(doubling: Task) -> None:
    shapes = Shapes()
    async with ahead(shapes, Failed) as early:
        early.begin(context(doubling, thorough=True))
        await asyncio.sleep(0)
    assert shapes.asked == 0


async def test_what_nobody_waits_for_ends_with_the_check(doubling: Task) -> None:
    shapes = Shapes()
    async with ahead(shapes) as early:
        early.begin(context(doubling, thorough=True))
        await asyncio.wait_for(shapes.begun.wait(), 5)
    assert len(asyncio.all_tasks()) == 1
