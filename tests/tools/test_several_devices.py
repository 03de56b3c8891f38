"""One toolbox of several: a kernel passes where it passes on every device."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.verdict import Verdict
from tests.agent.search_fakes import FakeToolbox, kernel, write_task
from tools.several_devices import SeveralDevices
from tools.tasks import folder as task_folder
from tools.tasks.task import Task
from tools.toolbox import CheckOrder, CompileOrder


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return task_folder.load(write_task(tmp_path / "twice"))


def second(fails_at: float | None = None) -> FakeToolbox:
    found = FakeToolbox()
    found.device = "sim:second"
    if fails_at is not None:
        found.late_failures.add(fails_at)
    return found


async def test_a_kernel_that_fails_on_the_second_device_fails_and_the_report_says_where(task: Task):
    order = CheckOrder(task, kernel("LATENCY 5"))
    async with SeveralDevices(FakeToolbox(), [second(5.0)]) as toolbox:
        report = await toolbox.do(order)
    assert report.verdict is Verdict.WRONG_RESULT
    assert report.message == "on sim:second: wrong at a benchmark shape"
    assert report.stages[-1].name == "sim:second"


async def test_a_kernel_that_passes_on_both_is_ranked_by_the_first(task: Task):
    async with SeveralDevices(FakeToolbox(), [second()]) as toolbox:
        report = await toolbox.do(CheckOrder(task, kernel("LATENCY 5")))
    assert report.verdict is Verdict.PASS
    assert report.profile is not None
    assert report.profile.latency_us == 5.0
    assert [stage.name for stage in report.stages] == ["compile", "test", "profile", "sim:second"]
    assert toolbox.device == "sim:fake"


async def test_what_fails_on_the_first_keeps_its_own_reason(task: Task):
    async with SeveralDevices(FakeToolbox(), [second()]) as toolbox:
        report = await toolbox.do(CheckOrder(task, kernel("WRONG")))
    assert report.verdict is Verdict.WRONG_RESULT
    assert "sim:second" not in report.message


async def test_kernels_are_one_where_they_are_one_on_every_device(task: Task):
    alone = await FakeToolbox().do(CompileOrder(task, kernel("a")))
    async with SeveralDevices(FakeToolbox(), [second()]) as toolbox:
        a, same, b = [
            await toolbox.do(CompileOrder(task, text)) for text in (kernel("a"), kernel("a"), kernel("b"))
        ]
        broken = await toolbox.do(CompileOrder(task, kernel("BROKEN")))
    assert a.ptx_key == same.ptx_key != b.ptx_key
    assert a.ptx_key != alone.ptx_key
    assert broken.verdict is Verdict.COMPILE_ERROR
    assert broken.ptx_key == ""
