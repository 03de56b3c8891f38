"""Kernels that are right at every size of a task's cases, and wrong at others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.verdict import Verdict
from tests.sandbox.simulator.in_process import Compiles, Simulator, frozen_once, toolbox
from tools.judge.sizes import COUNT
from tools.judge.stress import FAMILIES, TELLING, base_case
from tools.reports import TestReport
from tools.tasks.folder import find
from tools.toolbox import CheckOrder, TestOrder

ADD = """//@ launch add<<<ceil_div(n, 256), 256>>>(x, y, out, n)
extern "C" __global__ void add(const float* x, const float* y, float* out, int n) {{
    int i = blockIdx.x * 256 + threadIdx.x;
    if (i < n) out[i] = {wrong} ? 0.0f : x[i] + y[i];
}}
"""


async def judged(folder: Path, kernels: list[str], seed: int | None = None) -> list[TestReport]:
    task = find("vector_add")
    async with toolbox(folder, Simulator(), Compiles(), 30.0) as box:
        return [await box.do(TestOrder(task, kernel, seed=seed)) for kernel in kernels]


@pytest.mark.parametrize(
    "wrong",
    [
        "!(n == 1 || n == 31 || n == 97 || n == 1002 || n == 4099 || n == 8191 || n == 65537)",
        "(n % 4 == 0)",
        "(n < 40000 && n > 8191 + 512 || n > 1002 + 32 && n < 4000 || n < 900 && n > 97 || n > 4300 && n < 8000)",
    ],
)
async def test_a_kernel_that_is_right_at_the_cases_alone_is_found_and_replayed(
    tmp_path: Path, wrong: str
) -> None:
    (report,) = await judged(tmp_path, [ADD.format(wrong=wrong)])
    assert report.verdict is Verdict.WRONG_RESULT, report.message
    failed = report.cases[-1]
    assert failed.dims not in [case.dims for case in find("vector_add").tests]
    assert f"n={failed.dims['n']}" in report.message
    assert report.cases_total == len(report.cases)
    (again,) = await judged(tmp_path, [ADD.format(wrong=wrong)], seed=failed.seed)
    assert again.message == report.message


async def test_a_right_kernel_passes_and_the_report_names_the_sizes(tmp_path: Path) -> None:
    (report,) = await judged(tmp_path, [ADD.format(wrong="false")])
    assert report.verdict is Verdict.PASS, report.message
    assert report.cases_total == len(report.cases)
    for case in report.cases[-COUNT:]:
        assert f"n={case.dims['n']}" in report.message


async def test_a_size_at_which_the_baseline_fails_is_held_against_nobody(tmp_path: Path) -> None:
    task = find("vector_add")
    wrong = ADD.format(wrong="(n % 4 == 0)")
    odd = replace(task, baseline=wrong, sha="0" * 64)
    async with toolbox(tmp_path, Simulator(), Compiles(), 30.0) as box:
        report = await box.do(TestOrder(odd, wrong))
    assert report.verdict is Verdict.PASS, report.message
    assert all(case.dims["n"] % 4 for case in report.cases)


async def test_a_check_tries_as_many_sizes_as_it_is_asked_for_and_they_are_the_first_of_the_others(
    tmp_path: Path,
) -> None:
    task, kernel = find("vector_add"), ADD.format(wrong="false")
    async with toolbox(tmp_path, Simulator(), Compiles(), 30.0) as box:
        orders = [CheckOrder(task, kernel, profile=False, seed=5, fresh_sizes=count) for count in (3, COUNT)]
        few, all_ = [(await box.do(order)).test for order in orders]
    assert few is not None
    assert all_ is not None
    assert len(all_.cases) - len(few.cases) == COUNT - 3
    assert [case.dims for case in few.cases[-3:]] == [case.dims for case in all_.cases[-COUNT : -COUNT + 3]]


CLAMP = """//@ launch relu<<<ceil_div(n, 256), 256>>>(x, y, n)
extern "C" __global__ void relu(const float* x, float* y, int n) {
    int i = blockIdx.x * 256 + threadIdx.x;
    if (i < n) y[i] = fminf(fmaxf(x[i], 0.0f), n == BASE ? INFINITY : 100.0f);
}
"""


async def test_what_is_wrong_for_some_values_but_not_at_the_size_that_families_are_tried_at_is_found() -> (
    None
):
    relu = find("relu")
    kernel = CLAMP.replace("BASE", str(base_case(relu).dims["n"]))
    async with toolbox(frozen_once(), Simulator(), Compiles(), 30.0) as box:
        report = await box.do(TestOrder(relu, kernel, seed=3))
    assert report.verdict is Verdict.WRONG_RESULT, report.message
    assert report.cases[-1].dims not in [case.dims for case in relu.tests]
    assert set(FAMILIES) >= TELLING
