"""All that is wrong with a kernel is told at once, the most serious first."""

from __future__ import annotations

from pathlib import Path

from sandbox.verdict import Verdict
from tests.sandbox.simulator.in_process import Simulator, toolbox
from tools.judge.freezing import store_frozen, uncalibrated
from tools.reports import TestReport
from tools.tasks.task import Task
from tools.toolbox import TestOrder

HEAD = """\
//@ launch k<<<ceil_div(n, 64), 64>>>(x, y, n)
__global__ void k(const float* x, float* y, int n) {
    __shared__ float tile[64];
    int t = threadIdx.x, i = blockIdx.x * 64 + t;
    float v = i < n ? x[i] : 0.0f;
"""
SWAPPED = """\
    tile[t] = v;
    __syncthreads();
    v = tile[t ^ 63];
    tile[t] = v;
    __syncthreads();
    if (i < n) y[i] = 2.0f * tile[t ^ 63];
"""


async def found(tmp_path: Path, task: Task, body: str) -> TestReport:
    store_frozen(tmp_path, task, Simulator.name, uncalibrated(task))
    async with toolbox(tmp_path, seeds=1) as box:
        return await box.do(TestOrder(task, HEAD + body + "}\n", seed=4))


async def test_a_fault_of_a_later_case_stands_before_a_wrong_result_of_the_first(
    tmp_path: Path, doubling: Task
) -> None:
    report = await found(tmp_path, doubling, "    if (i < n) y[n > 64 ? i + 64 : i] = v;\n")
    assert [case.verdict for case in report.failures] == [Verdict.MEMORY_FAULT, Verdict.WRONG_RESULT]
    assert (report.verdict, report.message) == (report.failures[0].verdict, report.failures[0].message)
    assert [case.dims["n"] for case in report.failures] == [300, 33]


async def test_what_later_cases_repeat_is_told_once(tmp_path: Path, doubling: Task) -> None:
    report = await found(tmp_path, doubling, "    if (i < n) y[i] = v;\n")
    assert [case.verdict for case in report.failures] == [Verdict.WRONG_RESULT]


async def test_all_races_of_one_run_are_told_with_both_lines_and_their_text(
    tmp_path: Path, doubling: Task
) -> None:
    body = SWAPPED + "    if (i < n && t > 0) y[i - t] = v;\n"
    report = await found(tmp_path, doubling, body)
    races = [case for case in report.failures if case.verdict is Verdict.RACE]
    assert [[line.text for line in case.lines] for case in races] == [
        ["v = tile[t ^ 63];", "tile[t] = v;"],
        ["if (i < n) y[i] = 2.0f * tile[t ^ 63];", "if (i < n && t > 0) y[i - t] = v;"],
        ["if (i < n && t > 0) y[i - t] = v;"],
    ]
    assert "shared variable tile" in races[0].message
    assert "__syncthreads()" in races[0].message


async def test_a_race_and_a_wrong_result_of_one_run_are_both_told(tmp_path: Path, doubling: Task) -> None:
    report = await found(tmp_path, doubling, SWAPPED.replace("2.0f", "3.0f"))
    assert [case.verdict for case in report.failures] == [Verdict.RACE, Verdict.WRONG_RESULT]
    assert report.failures[1].message.endswith("What is told before it may be the cause.")


async def test_a_race_between_warps_is_told_before_one_within_a_warp_at_the_same_place(
    tmp_path: Path, doubling: Task
) -> None:
    body = "    tile[t] = v;\n    v = tile[t < 32 ? t ^ 1 : t ^ 33];\n    if (i < n) y[i] = v;\n"
    report = await found(tmp_path, doubling, body)
    races = [case for case in report.failures if case.verdict is Verdict.RACE]
    assert len(races) == 1
    assert "between threads of different warps: put __syncthreads()" in races[0].message
