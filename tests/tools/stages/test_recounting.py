"""Estimates of kernels that do more in blocks that were not sampled, by less than what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sandbox.budget import Work
from sandbox.simulator import profiling, sampling
from sandbox.verdict import Verdict
from tests.sandbox.simulator import in_process
from tools.local_toolbox import LocalToolbox
from tools.reports import CheckReport
from tools.tasks.task import Task
from tools.toolbox import CheckOrder

EVEN = """\
//@ launch twice<<<ceil_div(n, 128), 128>>>(x, y, n)
extern "C" __global__ void twice(const float* x, float* y, int n) {
    int i = blockIdx.x * 128 + threadIdx.x;
    if (i < n) y[i] = 2.0f * x[i];
}
"""
HIDES = EVEN.replace(
    "    if (i < n)",
    "    if (blockIdx.x % 16 == 5)\n"
    '        for (int t = 0; t < 20; ++t) asm volatile("{ .reg .f32 f; mov.f32 f, 0f40000000; add.f32 f, f, f; }");\n'
    "    if (i < n)",
)
SMALL, LARGE = 1 << 16, 1 << 18


@pytest.fixture
async def toolbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalToolbox]:
    """One that can't afford to count a launch whole because of its sample, which is the first two blocks."""
    monkeypatch.setattr(sampling, "_WHOLE", Work(1, 1))
    monkeypatch.setattr(profiling, "chosen_blocks", lambda setup: np.arange(2))
    async with in_process.toolbox(tmp_path, bench_work=3e6) as opened:
        yield opened


def at(doubling: Task, *sizes: int) -> Task:
    first = doubling.benches[0]
    return replace(doubling, benches=tuple(replace(first, dims={"n": n}) for n in sizes), sha="5e" * 32)


def latencies(report: CheckReport) -> list[float]:
    assert report.verdict is Verdict.PASS, report.message
    assert report.profile is not None
    return [shape.latency_us for shape in report.profile.shapes]


def executed(report: CheckReport) -> list[float]:
    assert report.profile is not None
    return [sum(launch.executed for launch in shape.launches) for shape in report.profile.shapes]


async def test_where_a_run_did_more_than_its_sample_said_every_block_is_counted(
    doubling: Task, toolbox: LocalToolbox
) -> None:
    task = at(doubling, SMALL)
    before = await toolbox.do(CheckOrder(task, HIDES, benches=False))
    after = await toolbox.do(CheckOrder(task, HIDES))
    assert 1.1 * executed(before)[0] < executed(after)[0] < 2 * executed(before)[0]
    assert latencies(after)[0] > latencies(before)[0]
    assert "All blocks were counted at n=65536" in after.message
    assert after.message.startswith(f"{latencies(after)[0]:.4g} us estimated")


async def test_a_shape_that_is_not_run_whole_takes_as_many_times_longer(
    doubling: Task, toolbox: LocalToolbox
) -> None:
    task = at(doubling, SMALL, LARGE)
    before = await toolbox.do(CheckOrder(task, HIDES, benches=False))
    after = await toolbox.do(CheckOrder(task, HIDES))
    factor = executed(after)[0] / executed(before)[0]
    assert latencies(after)[1] == pytest.approx(factor * latencies(before)[1])


async def test_blocks_that_all_do_the_same_keep_the_estimate_of_their_sample(
    doubling: Task, toolbox: LocalToolbox
) -> None:
    task = at(doubling, SMALL, LARGE)
    before = await toolbox.do(CheckOrder(task, EVEN, benches=False))
    after = await toolbox.do(CheckOrder(task, EVEN))
    assert latencies(after) == latencies(before)
    assert "counted at" not in after.message
