"""The whole judge on the simulator: kernels that are right, wrong, faulty and endless."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox import budget
from sandbox.verdict import Verdict
from tests import few_sizes
from tests.sandbox.simulator.in_process import frozen_once, toolbox
from tools.awaiting import together
from tools.local_toolbox import LocalToolbox
from tools.reports import TestReport
from tools.tasks.folder import find, names
from tools.tasks.task import Case, Task
from tools.toolbox import CheckOrder, TestOrder

RIGHT = "if (i < n) y[i] = 2.0f * x[i];"


@asynccontextmanager
async def workers(cache: Path) -> AsyncGenerator[LocalToolbox]:
    async with LocalToolbox("sim:h200", cache=cache) as box:
        yield box


async def outcome_of(box: LocalToolbox, task: Task, body: str) -> TestReport:
    return await box.do(TestOrder(task, task.baseline.replace(RIGHT, body)))


@pytest.mark.parametrize(
    ("body", "verdict", "said"),
    [
        (RIGHT, Verdict.PASS, "inputs passed"),
        ("", Verdict.WRONG_RESULT, "33 of them never written"),
        ("if (i < n - 3) y[i] = 2.0f * x[i];", Verdict.WRONG_RESULT, "the tail is not handled"),
        ("if (i < n) y[i] = 0.0f;", Verdict.WRONG_RESULT, "got 0, expected"),
        ("if (i < n) y[i] = 0.0f / 0.0f;", Verdict.WRONG_RESULT, "Every wrong element is NaN"),
        (
            "if (i < n) y[i] = 2.0001f * x[i];",
            Verdict.WRONG_RESULT,
            "precision was lost",
        ),
        ("y[i] = 2.0f * x[i];", Verdict.MEMORY_FAULT, "line 5"),
        (
            "if (i < n) { y[i] = 2.0f * x[i]; const_cast<float*>(x)[i] = 0; }",
            Verdict.INPUT_MODIFIED,
            "wrote to its input x",
        ),
        (
            "if (i < n) { float v = 2.0f * x[i]; y[i] = i % 32 ? v : __shfl_down_sync(1u, v, 1); }",
            Verdict.WRONG_RESULT,
            "reads lanes that take no part: what it gets is undefined.",
        ),
    ],
)
async def test_a_kernel_gets_the_verdict_it_deserves(
    tmp_path: Path, doubling: Task, body: str, verdict: Verdict, said: str
) -> None:
    async with toolbox(tmp_path) as box:
        report = await outcome_of(box, doubling, body)
    assert report.verdict is verdict, report.message
    assert said in report.message


async def test_an_endless_loop_exceeds_its_work_and_the_next_kernel_is_judged(
    tmp_path: Path, doubling: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "FLOOR_STEPS", 10_000)
    async with workers(tmp_path) as box:
        report = await outcome_of(box, doubling, "while (n) {}")
        assert report.verdict is Verdict.TIMEOUT
        assert "the task's baseline does" in report.message
        assert (await outcome_of(box, doubling, RIGHT)).verdict is Verdict.PASS


async def test_a_result_that_depends_on_the_order_of_threads_is_no_pass(
    tmp_path: Path, doubling: Task
) -> None:
    async with toolbox(tmp_path) as box:
        report = await outcome_of(box, doubling, "if (i < n) { y[i] = 2.0f * x[i]; y[0] = x[i]; }")
    assert report.verdict not in (Verdict.PASS, Verdict.UNSUPPORTED), report.message


async def test_many_candidates_are_judged_at_once(tmp_path: Path, doubling: Task) -> None:
    bodies = [RIGHT, "", RIGHT, "y[i] = 2.0f * x[i];"] * 3
    async with workers(tmp_path) as box:
        reports = await together(outcome_of(box, doubling, body) for body in bodies)
    expected = [Verdict.PASS, Verdict.WRONG_RESULT, Verdict.PASS, Verdict.MEMORY_FAULT] * 3
    assert [report.verdict for report in reports] == expected


async def test_a_sweep_on_the_simulator_is_never_slower_than_the_default(
    tmp_path: Path, doubling: Task
) -> None:
    async with toolbox(tmp_path) as box:
        report = await box.do(CheckOrder(doubling, doubling.baseline, sweep=True))
    assert (report.verdict, report.swept) == (Verdict.PASS, 3)
    assert report.profile is not None
    assert report.profile.speedup is not None
    assert report.profile.speedup >= 1


async def test_a_scalar_argument_reaches_kernel_and_reference(tmp_path: Path) -> None:
    """Saxpy with a random factor: the plan depends on the seed."""
    folder = tmp_path / "scale"
    folder.mkdir()
    (folder / "task.toml").write_text(SCALE)
    (folder / "reference.py").write_text("def reference(x, a, n):\n    return {'y': a * x}\n")
    (folder / "baseline.cu").write_text(SCALE_KERNEL)
    task = find(folder)
    async with toolbox(tmp_path) as box:
        assert (await box.do(CheckOrder(task, task.baseline))).verdict is Verdict.PASS
        wrong = await box.do(TestOrder(task, task.baseline.replace("a * x[i]", "(a + 1) * x[i]")))
    assert wrong.verdict is Verdict.WRONG_RESULT


ELSEWHERE = ("attention", "sort", "top_k")
"""Tasks whose baselines are judged beside the hostile kernels; they take seconds."""
ONE_THREAD = ("least_squares", "prefix_sum")
"""Tasks whose baselines take seconds to count: a thread does it all. They are counted where a suite is run."""
LEFT_OUT = {
    "conv2d": ({"height": 37, "width": 29, "side": 24}, {"height": 61, "width": 47, "side": 24}),
    "least_squares": ({"n": 1025, "d": 7}, {"n": 2003, "d": 10}),
    "prefix_sum": ({"n": 1025}, {"n": 2050}, {"n": 3001}),
}
"""Their largest sizes, most of what they cost."""


def bundled(name: str) -> Task:
    return few_sizes.without(find(name), LEFT_OUT.get(name, ()))


@pytest.mark.parametrize("name", ONE_THREAD)
async def test_every_bundled_task_of_one_thread_can_be_frozen(name: str) -> None:
    task = bundled(name)
    async with toolbox(frozen_once()) as box:
        report = await box.do(TestOrder(task, task.baseline))
    assert report.verdict is Verdict.PASS, report.message


@pytest.mark.parametrize("name", sorted({*names()} - {*ELSEWHERE, *ONE_THREAD}))
async def test_every_other_bundled_task_can_be_frozen_and_timed(name: str) -> None:
    task = bundled(name)
    async with toolbox(frozen_once()) as box:
        # One of them at its benchmark shape too: that takes seconds each.
        report = await box.do(CheckOrder(task, task.baseline, benches=name == "matmul"))
    assert report.verdict is Verdict.PASS, report.message
    assert (report.bench is not None) == (name == "matmul")
    assert report.profile is not None
    assert report.profile.latency_us is not None
    assert report.profile.speedup == pytest.approx(1)


async def test_a_failed_case_is_replayed_by_its_seed(tmp_path: Path, doubling: Task) -> None:
    task = replace(doubling, tests=(Case({"n": 64}),))
    async with toolbox(tmp_path) as box:
        first = (await outcome_of(box, task, "if (i < n) y[i] = x[i];")).cases[-1]
        wrong = task.baseline.replace(RIGHT, "if (i < n) y[i] = x[i];")
        again = (await box.do(TestOrder(task, wrong, seed=first.seed))).cases[-1]
    assert again.first == first.first


SCALE = """\
name = "scale"
summary = "A vector times a number."
dims = ["n"]
[[args]]
name = "x"
role = "in"
dtype = "float32"
shape = "n"
data = "normal(0, 1)"
[[args]]
name = "a"
role = "scalar"
dtype = "float32"
data = "uniform(1, 2)"
[[args]]
name = "y"
role = "out"
dtype = "float32"
shape = "n"
[cost]
flops = "n"
bytes = "8 * n"
[[test]]
dims = { n = 33 }
[[bench]]
dims = { n = 4096 }
"""

SCALE_KERNEL = """\
//@ launch scale<<<ceil_div(n, 128), 128>>>(x, a, y, n)
extern "C" __global__ void scale(const float* x, float a, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i];
}
"""
