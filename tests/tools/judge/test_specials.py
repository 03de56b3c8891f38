"""NaN and infinities, where a task says what becomes of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sandbox.verdict import Verdict
from tests.sandbox.simulator import in_process
from tools.local_toolbox import LocalToolbox
from tools.tasks.generators import inputs_for
from tools.tasks.task import Case, Task
from tools.toolbox import TestOrder

KERNEL = """\
//@ launch f<<<ceil_div(n, 64), 64>>>(x, y, n)
__global__ void f(const float* x, float* y, int n) {
    int i = blockIdx.x * 64 + threadIdx.x;
    if (i < n) y[i] = %s;
}
"""
PROPAGATES = KERNEL % "x[i] > 0 || isnan(x[i]) ? x[i] : 0.0f"


@pytest.fixture
def clamped(doubling: Task) -> Task:
    reference = "import numpy\ndef reference(x, n):\n    return {'y': numpy.maximum(x, 0)}\n"
    cases = (Case({"n": 300}), Case({"n": 300}, {"x": "specials()"}))
    return replace(doubling, reference=reference, baseline=PROPAGATES, tests=cases, sha="5a" * 32)


@pytest.fixture
async def toolbox(tmp_path: Path) -> AsyncIterator[LocalToolbox]:
    async with in_process.toolbox(tmp_path) as opened:
        yield opened


def test_specials_hold_a_nan_and_both_infinities(clamped: Task) -> None:
    x = inputs_for(clamped, clamped.tests[1], 3)["x"]
    assert np.isnan(x).any()
    assert {np.inf, -np.inf} <= set(x[np.isinf(x)].tolist())
    assert np.isfinite(x).sum() > 200


async def test_a_kernel_that_propagates_nan_as_the_reference_does_passes(
    clamped: Task, toolbox: LocalToolbox
) -> None:
    report = await toolbox.do(TestOrder(clamped, PROPAGATES))
    assert report.verdict is Verdict.PASS, report.message


@pytest.mark.parametrize(
    "formula", ["fmaxf(x[i], 0.0f)", "isinf(x[i]) ? 0.0f : x[i] > 0 || isnan(x[i]) ? x[i] : 0.0f"]
)
async def test_a_kernel_that_swallows_nan_or_infinity_fails(
    clamped: Task, toolbox: LocalToolbox, formula: str
) -> None:
    report = await toolbox.do(TestOrder(clamped, KERNEL % formula))
    assert report.verdict is Verdict.WRONG_RESULT
    assert "specials()" in report.message
