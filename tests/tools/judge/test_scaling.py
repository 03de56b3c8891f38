"""Inputs times a power of two."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.verdict import Verdict
from tools.local_toolbox import LocalToolbox
from tools.tasks.task import Case, Task
from tools.toolbox import TestOrder

KERNEL = """\
//@ launch f<<<ceil_div(n, 64), 64>>>(x, y, n)
__global__ void f(const float* x, float* y, int n) {
    int i = blockIdx.x * 64 + threadIdx.x;
    if (i < n) %s
}
"""


@pytest.fixture
async def toolbox(tmp_path: Path) -> AsyncIterator[LocalToolbox]:
    async with LocalToolbox("sim:h200", cache=tmp_path, workers=1) as opened:
        yield opened


def kernel(statement: str) -> str:
    return KERNEL % statement


@pytest.fixture
def squaring(doubling: Task) -> Task:
    reference = "def reference(x, n):\n    return {'y': x * x}\n"
    baseline = kernel("y[i] = x[i] * x[i];")
    return replace(doubling, reference=reference, baseline=baseline, tests=(Case({"n": 300}),), sha="52" * 32)


async def test_a_clamp_that_no_random_input_reaches_is_found(doubling: Task, toolbox: LocalToolbox) -> None:
    # Every family of values stays below the clamp; the multiples of a normal input do not.
    lenient = replace(
        doubling, arguments=(replace(doubling.arguments[0], data="normal(0, 1e35)"), doubling.arguments[1])
    )
    report = await toolbox.do(TestOrder(lenient, kernel("y[i] = fminf(2 * x[i], 1e36f);")))
    assert report.verdict is Verdict.WRONG_RESULT
    assert "times 256 must give y times 256, to the last bit" in report.message


@pytest.mark.parametrize("statement", ["y[i] = x[i] + x[i];", "y[i] = __fmaf_rn(x[i], 3.0f, -x[i]);"])
async def test_honest_kernels_scale_to_the_last_bit(
    doubling: Task, toolbox: LocalToolbox, statement: str
) -> None:
    report = await toolbox.do(TestOrder(doubling, kernel(statement)))
    assert report.verdict is Verdict.PASS, report.message


async def test_a_square_scales_with_the_square(squaring: Task, toolbox: LocalToolbox) -> None:
    report = await toolbox.do(TestOrder(squaring, kernel("{ float a = fabsf(x[i]); y[i] = a * a; }")))
    assert report.verdict is Verdict.PASS, report.message


async def test_an_operation_that_does_not_scale_is_not_asked_to(
    doubling: Task, toolbox: LocalToolbox
) -> None:
    shifted = "def reference(x, n):\n    return {'y': 2 * x + 1}\n"
    task = replace(doubling, reference=shifted, baseline=kernel("y[i] = 2 * x[i] + 1;"), sha="51" * 32)
    report = await toolbox.do(TestOrder(task, kernel("y[i] = fmaf(x[i], 2, 1);")))
    assert report.verdict is Verdict.PASS, report.message
