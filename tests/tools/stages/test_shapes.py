"""Results at the benchmark shapes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.budget import Work
from sandbox.verdict import Verdict
from tests.sandbox.simulator import in_process
from tools.local_toolbox import LocalToolbox
from tools.stages.shapes import hidden_work
from tools.tasks.task import Task
from tools.toolbox import CheckOrder

RIGHT = """\
//@ launch twice<<<ceil_div(n, 128), 128>>>(x, y, n)
extern "C" __global__ void twice(const float* x, float* y, int n) {
    int i = blockIdx.x * 128 + threadIdx.x;
    if (i < n) y[i] = 2.0f * x[i];
}
"""
GATED = RIGHT.replace("2.0f * x[i]", "n > 1000 && i % 97 == 5 ? 2.001f * x[i] : 2.0f * x[i]")


@pytest.fixture
async def toolbox(tmp_path: Path) -> AsyncIterator[LocalToolbox]:
    async with in_process.toolbox(tmp_path) as opened:
        yield opened


async def test_a_kernel_that_is_wrong_only_at_the_benchmark_sizes_is_found_out(
    doubling: Task, toolbox: LocalToolbox
) -> None:
    assert (await toolbox.do(CheckOrder(doubling, GATED, benches=False))).verdict is Verdict.PASS
    report = await toolbox.do(CheckOrder(doubling, GATED))
    assert report.verdict is Verdict.WRONG_RESULT
    assert "n=4096" in report.message
    assert report.stages[-1].name == "shapes"
    assert report.bench is not None
    assert report.bench.cases[0].wrong == 4096 // 97 + 1


async def test_a_right_kernel_is_right_at_every_shape(doubling: Task, toolbox: LocalToolbox) -> None:
    report = await toolbox.do(CheckOrder(doubling, RIGHT))
    assert report.verdict is Verdict.PASS
    assert report.bench is not None
    assert [case.dims for case in report.bench.cases] == [{"n": 4096}, {"n": 8192}]
    assert report.bench.unjudged == ()


async def test_shapes_over_the_budget_are_only_counted_and_the_report_says_so(
    doubling: Task, tmp_path: Path
) -> None:
    sizes = (replace(doubling.benches[0], dims={"n": 1 << 20}), doubling.benches[0])
    task = replace(doubling, benches=sizes, sha="ab" * 32)
    async with in_process.toolbox(tmp_path, bench_work=1e6) as toolbox:
        report = await toolbox.do(CheckOrder(task, RIGHT))
    assert report.verdict is Verdict.PASS
    assert report.bench is not None
    assert report.bench.unjudged == ({"n": 1 << 20},)
    assert [case.dims for case in report.bench.cases] == [{"n": 4096}]
    assert "1 only counted, not judged" in report.stages[-1].message


def test_a_run_that_does_far_more_than_was_counted_is_not_timed() -> None:
    assert hidden_work("n=4096", 1e6, Work(4_000_000, 100)) == ""
    assert hidden_work("n=4096", 1e6, None) == ""
    assert "executes 4e+07" in hidden_work("n=4096", 1e6, Work(40_000_000, 100))
