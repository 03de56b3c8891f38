"""Families of values: which are asked, and what becomes of a candidate that fails on one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandbox.isolation.choose import choose_isolation
from sandbox.plan import BufferArgument, BufferSpec, Launch, Plan, Role
from sandbox.program import Program
from sandbox.reference.service import References
from sandbox.verdict import Verdict
from tests.sandbox.simulator import in_process
from tests.tools.function_device import FunctionDevice
from tools.judge.families import BASELINE_FAILS, FLOAT32_FAILS, Court, said_of
from tools.judge.oracle import TaskOracle
from tools.judge.stress import stress_case
from tools.judge.subjects import Rules, Subject
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

HALF_EPSILON_ROWS = """\
//@ launch f<<<1, 64>>>(x, y, n)
#include <cuda_fp16.h>
__global__ void f(const __half* x, __half* y, int n) {
    __shared__ float all[64];
    float sum = 0.0f;
    for (int i = threadIdx.x; i < n; i += 64) { float v = __half2float(x[i]); sum += v * v; }
    all[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0) for (int i = 1; i < 64; i++) all[0] += all[i];
    __syncthreads();
    %s
    for (int i = threadIdx.x; i < n; i += 64) y[i] = __float2half_rn(__half2float(x[i]) * scale);
}
"""
IN_HALF = "float scale = rsqrtf(__half2float(__hadd(__float2half_rn(all[0] / n), __float2half_rn(1e-5f))));"
IN_FLOAT = "float scale = rsqrtf(all[0] / n + 1e-5f);"


@pytest.fixture
async def toolbox(tmp_path: Path) -> AsyncIterator[LocalToolbox]:
    async with in_process.toolbox(tmp_path) as opened:
        yield opened


def kernel(statement: str) -> str:
    return KERNEL % statement


async def test_a_clamp_that_no_random_input_reaches_is_found(doubling: Task, toolbox: LocalToolbox) -> None:
    # Every other family of values stays below the clamp; the multiples of a normal input do not.
    wide = replace(
        doubling, arguments=(replace(doubling.arguments[0], data="normal(0, 1e35)"), doubling.arguments[1])
    )
    report = await toolbox.do(TestOrder(wide, kernel("y[i] = fminf(2 * x[i], 1e36f);")))
    assert report.verdict is Verdict.WRONG_RESULT
    assert "normal(0, 2.56e+37)" in report.message


@pytest.mark.parametrize("statement", ["y[i] = x[i] + x[i];", "y[i] = __fmaf_rn(x[i], 3.0f, -x[i]);"])
async def test_honest_kernels_pass_on_multiples(
    doubling: Task, toolbox: LocalToolbox, statement: str
) -> None:
    report = await toolbox.do(TestOrder(doubling, kernel(statement)))
    assert report.verdict is Verdict.PASS, report.message


async def test_a_kernel_that_is_more_precise_than_the_baseline_passes(
    doubling: Task, toolbox: LocalToolbox
) -> None:
    # In half precision the epsilon disappears beside the mean, and outputs do not change with the input's scale.
    arguments = tuple(replace(argument, dtype="float16") for argument in doubling.arguments)
    text = "import numpy as np\ndef reference(x, n):\n    return {'y': x / np.sqrt((x * x).mean() + 1e-5)}\n"
    task = replace(
        doubling, arguments=arguments, reference=text, baseline=HALF_EPSILON_ROWS % IN_HALF, sha="53" * 32
    )
    report = await toolbox.do(TestOrder(task, HALF_EPSILON_ROWS % IN_FLOAT))
    assert report.verdict is Verdict.PASS, report.message


def doubles_unless(limit: float) -> Callable[[dict[str, Any]], None]:
    """A kernel's body that is wrong beyond a limit."""

    def body(buffers: dict[str, Any]) -> None:
        x = buffers["x"]
        buffers["y"][:] = np.where(np.abs(x) > limit, 0, 2 * x)

    return body


async def judged(
    task: Task, references: References, candidate: float, baseline: float
) -> tuple[Verdict, dict[str, str]]:
    """Judge a candidate on the task and on large values, each of the two kernels right up to its limit."""
    limits = {"candidate": candidate, "baseline": baseline}

    def run(program: Program, plan: Plan, buffers: dict[str, Any]) -> None:
        doubles_unless(limits[program.key])(buffers)

    court = Court(task, FunctionDevice(run), TaskOracle(task, references), Rules({"y": 8.0}))
    case = stress_case(task, "large()")
    assert case is not None

    def subject(key: str, case: Case) -> Subject:
        return Subject(case, Program(key, "sm_90", "", b"", {"k": "k"}, ()), plan_of(case), once=True)

    async def beside(family: str) -> Subject:
        return subject("baseline", case)

    own = [subject("candidate", one) for one in task.tests]
    found, dropped = await court.judge(own, {"large()": subject("candidate", case)}, beside)
    return found.report.verdict, dropped


def plan_of(case: Case) -> Callable[[Any], Plan]:
    size = case.dims["n"]
    buffers = (BufferSpec("x", Role.IN, "float32", size), BufferSpec("y", Role.OUT, "float32", size))
    launch = Launch("k", (1, 1, 1), (64, 1, 1), 0, (BufferArgument("x"), BufferArgument("y")), 1)
    return lambda scalars: Plan(buffers, (launch,))


async def test_a_family_that_the_baseline_fails_too_is_dropped(doubling: Task) -> None:
    async with References(choose_isolation()) as references:
        assert await judged(doubling, references, 1000, 1000) == (
            Verdict.PASS,
            {"large()": BASELINE_FAILS},
        )
        assert await judged(doubling, references, 1000, 1e30) == (Verdict.WRONG_RESULT, {})
        assert await judged(doubling, references, 1e30, 1000) == (Verdict.PASS, {})


def test_what_was_dropped_is_named() -> None:
    said = said_of({"large()": BASELINE_FAILS, "mixed()": FLOAT32_FAILS, "tiny()": BASELINE_FAILS})
    assert f"{BASELINE_FAILS}: large(), tiny()." in said
    assert f"{FLOAT32_FAILS}: mixed()." in said
    assert said_of({}) == ""


DOUBLE_NORMS = """\
//@ launch f<<<1, 64>>>(x, y, n)
__global__ void f(const float* x, float* y, int n) {
    __shared__ %s all[64];
    %s sum = 0;
    for (int i = threadIdx.x; i < n; i += 64) sum += (%s)x[i] * x[i];
    all[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0) for (int i = 1; i < 64; i++) all[0] += all[i];
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += 64) y[i] = (float)(x[i] / sqrt(all[0]));
}
"""


def normalised(doubling: Task) -> Task:
    text = "import numpy as np\ndef reference(x, n):\n    return {'y': x / np.sqrt((x.astype(np.float64) ** 2).sum())}\n"
    baseline = DOUBLE_NORMS % ("double", "double", "double")
    return replace(doubling, reference=text, baseline=baseline, sha="54" * 32)


async def test_a_family_that_float32_cannot_bear_is_dropped_where_the_baseline_computes_in_float64(
    doubling: Task, toolbox: LocalToolbox
) -> None:
    task = normalised(doubling)
    report = await toolbox.do(TestOrder(task, DOUBLE_NORMS % ("float", "float", "float")))
    assert report.verdict is Verdict.PASS, report.message
    assert f"{FLOAT32_FAILS}: " in report.message
    assert "large(1e+30)" in report.message


async def test_what_float32_bears_is_asked_beside_a_baseline_in_float64(
    doubling: Task, toolbox: LocalToolbox
) -> None:
    clamped = (DOUBLE_NORMS % ("float", "float", "float")).replace("* x[i];", "* fminf(x[i], 1e4f);")
    report = await toolbox.do(TestOrder(normalised(doubling), clamped))
    assert report.verdict is Verdict.WRONG_RESULT, report.message
