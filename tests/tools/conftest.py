"""A tiny task for tests of the judge and the toolbox: y = 2 x."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.tasks.task import Case, Target, Task, TaskArgument

DOUBLING = """\
//@ tune BLOCK = 128 in 64, 128, 256
//@ launch twice<<<ceil_div(n, BLOCK), BLOCK>>>(x, y, n)
extern "C" __global__ void twice(const float* x, float* y, int n) {
    int i = blockIdx.x * BLOCK + threadIdx.x;
    if (i < n) y[i] = 2.0f * x[i];
}
"""


@pytest.fixture
def doubling() -> Task:
    return Task(
        name="double",
        summary="Twice a vector.",
        dims=("n",),
        arguments=(
            TaskArgument("x", "in", "float32", ("n",), "normal(0, 1)"),
            TaskArgument("y", "out", "float32", ("n",)),
        ),
        tests=(Case({"n": 33}), Case({"n": 300}, {"x": "ties(3)"})),
        benches=(Case({"n": 4096}), Case({"n": 8192})),
        flops="n",
        bytes="8 * n",
        deterministic=True,
        target=Target(),
        folder=Path("double"),
        sha="00c0ffee" * 8,
        reference="def reference(x, n):\n    return {'y': 2 * x}\n",
        baseline=DOUBLING,
    )
