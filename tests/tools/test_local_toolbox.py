"""The local toolbox: real compiler and references, and a device whose kernel is a Python function."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandbox.compiler.service import Compiler
from sandbox.device import Fault
from sandbox.errors import UsageError
from sandbox.isolation.choose import choose_isolation
from sandbox.plan import Plan
from sandbox.program import Program
from sandbox.reference.service import References
from sandbox.verdict import Provenance, Verdict
from tests.tools.function_device import FunctionDevice
from tools.awaiting import together
from tools.judge.freezing import BaselineError
from tools.judge.sizes import COUNT
from tools.judge.stress import EXTREMES, FAMILIES
from tools.local_toolbox import LocalToolbox
from tools.parts import Limits, ToolboxParts
from tools.tasks.captured import as_text, pack
from tools.tasks.task import CapturedCase, Task
from tools.toolbox import CheckOrder, CompileOrder, ProfileOrder, TestOrder, Toolbox

Buffers = dict[str, np.ndarray[Any, Any]]
Kernel = Callable[[Program, Plan, Buffers], Fault | None]


def doubles(program: Program, plan: Plan, buffers: Buffers) -> None:
    buffers["y"][:] = 2 * buffers["x"]


def only_up_to(block: int) -> Kernel:
    """Return a kernel that is wrong for larger blocks."""

    def kernel(program: Program, plan: Plan, buffers: Buffers) -> None:
        doubles(program, plan, buffers)
        if plan.launches[0].block[0] > block:
            buffers["y"][0] += 1

    return kernel


def clock(program: Program, plan: Plan) -> float:
    return 1e4 / plan.launches[0].block[0]


@asynccontextmanager
async def toolbox(
    cache: Path, kernel: Kernel = doubles, limits: Limits | None = None
) -> AsyncGenerator[tuple[LocalToolbox, FunctionDevice]]:
    isolation = choose_isolation()
    device = FunctionDevice(kernel, clock)
    parts = ToolboxParts(Compiler(isolation), References(isolation), device, isolation.name, 2)
    async with LocalToolbox(cache=cache, limits=limits, parts=parts) as box:
        yield box, device
    assert device.closed


def is_a_toolbox(box: LocalToolbox) -> Toolbox:
    return box


async def test_every_stage_of_a_right_kernel_is_reported(tmp_path: Path, doubling: Task) -> None:
    async with toolbox(tmp_path) as (box, _):
        report = await box.do(CheckOrder(doubling, doubling.baseline))
    assert report.verdict is Verdict.PASS
    assert [stage.name for stage in report.stages] == ["compile", "test", "profile", "shapes"]
    assert all(stage.verdict is Verdict.PASS and stage.seconds >= 0 for stage in report.stages)
    assert (report.device, report.task, report.task_sha) == ("function", "double", doubling.sha)
    assert report.isolation in ("bubblewrap", "process")
    assert report.tune == {"BLOCK": 128}
    assert report.profile is not None
    assert report.profile.speedup == pytest.approx(1)
    assert (report.swept, report.provenance) == (0, Provenance.ESTIMATED)
    assert len(report.kernel_sha) == 64


async def test_a_sweep_keeps_the_fastest_setting_that_is_correct(tmp_path: Path, doubling: Task) -> None:
    async with toolbox(tmp_path) as (box, _):
        best = await box.do(CheckOrder(doubling, doubling.baseline, sweep=True))
    assert (best.verdict, best.tune, best.swept) == (Verdict.PASS, {"BLOCK": 256}, 3)
    assert [stage.name for stage in best.stages] == ["compile", "test", "sweep", "shapes"]
    assert best.profile is not None
    assert best.profile.speedup == pytest.approx(2)
    async with toolbox(tmp_path, only_up_to(128)) as (box, _):
        second = await box.do(CheckOrder(doubling, doubling.baseline, sweep=True))
    assert (second.verdict, second.tune) == (Verdict.PASS, {"BLOCK": 128})
    assert "1 fast but wrong" in second.message


async def test_a_sweep_tries_no_more_settings_than_allowed(tmp_path: Path, doubling: Task) -> None:
    async with toolbox(tmp_path, limits=Limits(sweep=2)) as (box, _):
        assert (await box.do(CheckOrder(doubling, doubling.baseline, sweep=True))).swept == 2


async def test_each_stage_gates_the_next(tmp_path: Path, doubling: Task) -> None:
    async with toolbox(tmp_path, only_up_to(128)) as (box, device):
        broken = await box.do(CheckOrder(doubling, doubling.baseline.replace("y[i]", "z[i]"), sweep=True))
        assert broken.verdict is Verdict.COMPILE_ERROR
        assert [stage.name for stage in broken.stages] == ["compile"]
        assert broken.message == broken.stages[-1].message
        runs = len(device.poisons)
        wrong = await box.do(
            CheckOrder(doubling, doubling.baseline.replace("= 128 in", "= 256 in"), sweep=True)
        )
        assert wrong.verdict is Verdict.WRONG_RESULT
        assert [stage.name for stage in wrong.stages] == ["compile", "test"]
        assert wrong.test is not None
        assert wrong.profile is None
        assert len(device.poisons) <= runs + 2 * len(doubling.tests) + len(FAMILIES)
        assert not device.profiled


async def test_without_profile_the_check_ends_after_the_tests(tmp_path: Path, doubling: Task) -> None:
    async with toolbox(tmp_path) as (box, device):
        report = await box.do(CheckOrder(doubling, doubling.baseline, profile=False))
        assert [stage.name for stage in report.stages] == ["compile", "test"]
        assert not device.profiled


async def test_a_seed_replays_a_judgement(tmp_path: Path, doubling: Task) -> None:
    seen: list[float] = []

    def remembers(program: Program, plan: Plan, buffers: Buffers) -> None:
        doubles(program, plan, buffers)
        seen.append(float(buffers["x"][0]))

    async with toolbox(tmp_path, remembers) as (box, _):
        first = await box.do(TestOrder(doubling, doubling.baseline))
        count = len(first.cases)
        before = list(seen)
        await box.do(TestOrder(doubling, doubling.baseline, seed=first.cases[0].seed))
    again = seen[len(before) :]
    families = [family for family in FAMILIES if family != EXTREMES]  # which is of whole numbers
    assert count == 4 + len(families) + COUNT
    assert sorted(before[-len(again) :]) == sorted(again)


async def test_the_task_is_frozen_once_and_remembered_on_disk(tmp_path: Path, doubling: Task) -> None:
    async with toolbox(tmp_path) as (box, device):
        await together(box.do(TestOrder(doubling, doubling.baseline, seed=1)) for _ in range(2))
        both = len(device.poisons)
    async with toolbox(tmp_path) as (box, device):
        await box.do(TestOrder(doubling, doubling.baseline, seed=1))
        one = len(device.poisons)
    assert both > 2 * one
    async with toolbox(tmp_path / "other") as (box, device):
        await box.do(TestOrder(doubling, doubling.baseline, seed=1))
        assert len(device.poisons) == both - one


async def test_a_task_with_a_broken_baseline_is_a_usage_error(tmp_path: Path, doubling: Task) -> None:
    broken = replace(doubling, baseline=doubling.baseline.replace("y[i]", "z[i]"))
    async with toolbox(tmp_path) as (box, _):
        with pytest.raises(UsageError, match=r"task double: its baseline does not compile: kernel\.cu:5"):
            await box.do(CheckOrder(broken, doubling.baseline))
        with pytest.raises(UsageError, match=r"reference\.py"):
            await box.do(
                TestOrder(replace(doubling, sha="ff" * 32, reference="def reference(:"), doubling.baseline)
            )


async def test_a_kernel_is_judged_while_the_baseline_is_wrong(tmp_path: Path, doubling: Task) -> None:
    wrong = replace(doubling, baseline=doubling.baseline.replace("= 128", "= 256"), sha="bb" * 32)
    async with toolbox(tmp_path, only_up_to(128)) as (box, _):
        right = await box.do(CheckOrder(wrong, doubling.baseline))
        itself = await box.do(CheckOrder(wrong, wrong.baseline))
        with pytest.raises(UsageError, match="its baseline is not correct"):
            await box.do(TestOrder(wrong, doubling.baseline))
    assert right.verdict is Verdict.PASS
    assert "task double: its baseline is not correct (wrong_result)" in right.baseline
    assert right.baseline in right.message
    assert itself.verdict is Verdict.WRONG_RESULT


async def test_a_reference_of_another_size_is_a_usage_error(tmp_path: Path, doubling: Task) -> None:
    short = replace(doubling, reference="def reference(x, n):\n    return {'y': x[1:]}\n")
    async with toolbox(tmp_path) as (box, _):
        with pytest.raises(UsageError, match=r"returned y of shape \(\d+,\): expected \(\d+,\)"):
            await box.do(TestOrder(short, doubling.baseline))


async def test_compile_and_profile_stand_alone(tmp_path: Path, doubling: Task) -> None:
    async with toolbox(tmp_path, only_up_to(0)) as (box, device):
        compiled = await box.do(CompileOrder(doubling, doubling.baseline, {"BLOCK": 64}))
        profiled = await box.do(ProfileOrder(doubling, doubling.baseline, {"BLOCK": 64}))
        assert (compiled.verdict, profiled.verdict) == (Verdict.PASS, Verdict.PASS)
        assert not device.poisons


ODD = np.array([0.125, 777.0, -3.0], np.float32)


@pytest.fixture
def with_captured(doubling: Task) -> Task:
    data = pack({"x": ODD})
    case = CapturedCase({"n": 3}, file="x.npz", sha256=hashlib.sha256(data).hexdigest())
    return replace(doubling, captured=(case,), captured_files={"x.npz": as_text(data)}, sha="0ca9" * 16)


async def test_a_kernel_is_judged_on_captured_data_beside_all_else(
    tmp_path: Path, doubling: Task, with_captured: Task
) -> None:
    def wrong_there(program: Program, plan: Plan, buffers: Buffers) -> None:
        doubles(program, plan, buffers)
        # The baseline, under its own name, is right: the task is frozen.
        if "lies" in program.ptx:
            buffers["y"][buffers["x"] == 777] = 0

    lying = doubling.baseline.replace("twice", "lies")
    async with toolbox(tmp_path, wrong_there) as (box, _):
        passed = await box.do(TestOrder(with_captured, doubling.baseline))
        without = await box.do(TestOrder(doubling, lying))
        failed = await box.do(TestOrder(with_captured, lying))
    assert passed.verdict is Verdict.PASS
    assert passed.message.startswith("All ")
    assert "what was captured in x.npz among them" in passed.message
    captured = [case for case in passed.cases if case.dims == {"n": 3}]
    assert len(captured) == 1, "its input is the same for every seed"
    assert without.verdict is Verdict.PASS
    assert "captured" not in without.message
    assert failed.verdict is Verdict.WRONG_RESULT
    assert "n=3 with what was captured in x.npz" in failed.message


async def test_a_baseline_must_be_right_on_captured_data(tmp_path: Path, with_captured: Task) -> None:
    def wrong_there(program: Program, plan: Plan, buffers: Buffers) -> None:
        doubles(program, plan, buffers)
        buffers["y"][buffers["x"] == 777] = 0

    async with toolbox(tmp_path, wrong_there) as (box, _):
        with pytest.raises(BaselineError, match=r"captured in x\.npz"):
            await box.do(TestOrder(with_captured, with_captured.baseline))
