"""References drafted from kernels: each computes what C says, and what is not read is named."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sandbox.reference.running_error.trace import load
from tools.tasks.c_expressions import UnreadableError
from tools.tasks.proposing import propose
from tools.tasks.transcribing import transcribe

THREAD = "int i = blockIdx.x * blockDim.x + threadIdx.x;"
X = np.array([-2.5, 0.0, 3.0, 1.0, -0.5, 7.0])


def reference(kernel: str) -> Callable[..., dict[str, Any]]:
    """Run what was drafted as the worker of references would."""
    return load(propose(kernel, "k").task.reference).reference


def outcome(body: str) -> list[float]:
    """What a kernel writes for X, of its statements."""
    kernel = f"__global__ void k(const float* x, float* y, int n) {{ {THREAD} {body} }}"
    return reference(kernel)(x=X, n=X.size)["y"].tolist()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("if (i < n) y[i] = 2 * x[i] - 1.f;", [2 * v - 1 for v in X]),
        ("if (i >= n) return; y[i] = fmaxf(x[i], 0.0f);", [max(v, 0) for v in X]),
        ("if (i < n) { if (x[i] < 0) { y[i] = -1; return; } y[i] = 1; }", [-1 if v < 0 else 1 for v in X]),
        ("if (i < n) { if (x[i] < 0) y[i] = 5; else y[i] = 6; }", [5 if v < 0 else 6 for v in X]),
        ("if (i < n) y[i] = i > 0 ? x[i - 1] : 0.0f;", [0, *X[:-1]]),
        ("if (i < n) y[i] = i + 1 < n && x[i + 1] > 0;", [*(X[1:] > 0), False]),
        ("if (i < n) y[i] = (int)(x[i]) + 7 / 2;", [math.trunc(v) + 3 for v in X]),
        ("if (i < n) y[i] = erff(x[i]) * rsqrtf(4.0f);", [math.erf(v) / 2 for v in X]),
        ("float s = 0; if (i < n) { for (int k = 0; k <= i; ++k) s += x[k]; y[i] = s; }", np.cumsum(X)),
        ("for (; i < n; i += gridDim.x * blockDim.x) y[i] = i % 4;", [0, 1, 2, 3, 0, 1]),
        (
            "if (i < n) { int s = 0; while (true) { if (s * s > i) break; s++; } y[i] = s; }",
            [1, 2, 2, 2, 3, 3],
        ),
        ("const float* p = x + 1; if (i < n) { y[i] = 0; if (i + 1 < n) y[i] = *(p + i); }", [*X[1:], 0]),
        ("const float V = x[0]; float v = 1; if (i < n) y[i] = V + v;", [-1.5] * 6),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_kernels_statements_mean_what_they_mean_in_c(body: str, expected: list[float]) -> None:
    assert outcome(body) == pytest.approx([float(one) for one in expected])


def test_threads_that_each_take_an_element_are_arithmetic_on_whole_arrays() -> None:
    kernel = (
        "__global__ void k(const float* a, const float* b, float* y, int rows, int cols) {"
        " int total = rows * cols;"
        " for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < total; i += gridDim.x * blockDim.x) {"
        " float v = a[i] + b[i % cols]; if (v < 0) v = 0; else v *= 2; y[i] = v; } }"
    )
    text = propose(kernel, "k").task.reference
    assert "v = a + b[lane % cols]" in text
    assert "load(" not in text
    a, b = np.arange(-6.0, 6).reshape(3, 4), np.arange(12.0).reshape(3, 4)
    wanted = np.maximum(a + b.ravel()[:4], 0) * 2
    assert reference(kernel)(a=a, b=b, rows=3, cols=4)["y"].tolist() == wanted.tolist()


@pytest.mark.parametrize(
    "body",
    [
        "if (i < n) y[n - 1 - i] = x[i];",
        "y[0] = 1; if (i < n) y[i] = x[i];",
        "if (i < n) y[i] = 3;",
        "if (i < n) { y[i] = x[i]; if (x[i] > 0) return; y[i] = y[(i + 1) % n]; }",
        "if (i <= n) y[i] = x[i];",
        "if (i < n) { i = 2; y[i] = x[i]; }",
    ],
)
def test_threads_that_do_more_stay_lanes(body: str) -> None:
    kernel = f"__global__ void k(const float* x, float* y, int n) {{ {THREAD} {body} }}"
    assert "def store(" in propose(kernel, "k").task.reference


def test_a_kernel_file_keeps_the_launch_that_it_says() -> None:
    text = (
        "//@ tune B = 128 in 64, 128\n//@ define W = B // 2\n//@ launch k<<<ceil_div(n, B), B>>>(in0, out, n)\n"
        "__global__ void k(const float* X, float* Y, int N) {"
        " int i = blockIdx.x * B + threadIdx.x; if (i < N) Y[i] = X[i] * W; }"
    )
    task = propose(text, "k").task
    assert task.baseline.count("//@ launch") == 1
    assert [one.name for one in task.arguments] == ["in0", "out"]
    assert reference(text)(in0=X, n=X.size)["out"].tolist() == (X * 64).tolist()


def test_a_flat_block_covers_both_sizes_and_macros_stand_for_their_numbers() -> None:
    turned = reference(
        "#define SIDE 16\n__global__ void t(const float* a, float* b, int rows, int cols) {"
        " int c = blockIdx.x * SIDE + threadIdx.x, r = blockIdx.y * SIDE + threadIdx.y;"
        " if (r < rows && c < cols) b[c * rows + r] = a[r * cols + c]; }"
    )
    a = np.arange(17.0 * 35).reshape(17, 35)
    assert (turned(a=a, rows=17, cols=35)["b"].ravel() == a.T.ravel()).all()


def test_what_a_kernel_reads_and_writes_is_given_to_it() -> None:
    kernel = f"__global__ void k(int* x, float f, int n) {{ {THREAD} if (i < n) x[i] *= f; }}"
    task = propose(kernel, "k").task
    assert [(one.name, one.role, one.data) for one in task.arguments] == [
        ("x", "inout", "integers(0, 100)"),
        ("f", "scalar", "constant(1)"),
    ]
    assert reference(kernel)(x=np.array([3, 5, -3]), f=1.5, n=3)["x"].tolist() == [4, 7, -4]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("__shared__ float s[32];", "`__shared__`"),
        ("atomicAdd(&y[0], x[i]);", "`atomicAdd`"),
        ("y[i] = mine(x[i]);", "a call of `mine`, line 1"),
        ("float4 v;", "more than plain C near `v`, line 1"),
        ("float acc[4];", "the declaration of `acc`"),
        ("for (;;) y[i] = 0;", "a loop without an end"),
        ("for (int k = 0; k < n; k++) { if (k) continue; }", "Continue as a statement"),
        ("y[i] = lost;", "`lost`"),
        ("threadIdx.x = 0;", "an address"),
        ("n = 3.0f; blockIdx = 1;", "an assignment to `blockIdx`"),
    ],
)
def test_what_is_more_than_plain_c_is_named(body: str, said: str) -> None:
    kernel = f"__global__ void k(const float* x, float* y, int n) {{ {THREAD} {body} }}"
    proposal = propose(kernel, "k")
    assert "raise NotImplementedError" in proposal.task.reference
    assert any(said in note for note in proposal.notes), proposal.notes


def test_a_text_without_the_function_is_none() -> None:
    with pytest.raises(UnreadableError, match=re.escape("no function k")):
        transcribe("void other(void) {}", "k", (), ("1",), (1,))
