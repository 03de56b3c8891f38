"""A task proposed from a kernel: what can be read is read, what is guessed is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sandbox.errors import UsageError
from tools.tasks import folder as task_folder
from tools.tasks.drafting import write_folder
from tools.tasks.proposing import propose

SCALE = """\
#include <vector>
__global__ void scale(const float* __restrict__ X, const int* which, __half* Y, float factor, int N) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < N) Y[i] = __float2half(X[i] * factor + which[i]);
}
int main() {
    scale<<<blocks, 128>>>(d_x, d_w, d_y, 2.0f, n);
}
"""


def test_arguments_sizes_and_launch_follow_from_signature_and_host_code(tmp_path: Path) -> None:
    proposal = propose(SCALE, "scale", "X times a factor.")
    task = proposal.task
    assert [(one.name, one.role, one.dtype) for one in task.arguments] == [
        ("x", "in", "float32"),
        ("which", "in", "int32"),
        ("y", "out", "float16"),
        ("factor", "scalar", "float32"),
    ]
    assert task.dims == ("n",)
    assert task.summary == "X times a factor."
    assert task.baseline.startswith("//@ launch scale<<<ceil_div(n, 256), 256>>>(x, which, y, factor, n)\n")
    assert "main" not in task.baseline
    said = " ".join(proposal.notes)
    assert "reference.py was drafted from scale itself" in said
    assert "scale<<<blocks, 128>>>(d_x, d_w, d_y, 2.0f, n)" in said
    assert "host code was left out: main" in said
    write_folder(task, tmp_path / "scale")
    loaded = task_folder.load(tmp_path / "scale")
    assert "def reference(x, which, factor, n):" in loaded.reference


def test_two_sizes_make_matrices_and_a_flat_block() -> None:
    text = "__global__ void t(const float* a, float* b, int rows, int cols) { int y = threadIdx.y; }"
    task = propose(text, "t").task
    assert task.arguments[0].shape == ("rows", "cols")
    assert "<<<(ceil_div(cols, 16), ceil_div(rows, 16)), (16, 16)>>>(a, b, rows, cols)" in task.baseline


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("int x;", "no __global__ function"),
        ("__global__ void a(float* x) {}\n__global__ void b(float* x) {}", "2 kernels (a, b)"),
        ("__global__ void a(const float* x, int n) {}", "no pointer that is not const"),
    ],
)
def test_what_says_too_little_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        propose(text, "task")


@pytest.mark.parametrize("parameters", ["const float*, float* y, int n", "float* a, int 3", "float* a, 7"])
def test_a_parameter_without_a_name_is_refused_by_its_text(parameters: str) -> None:
    with pytest.raises(UsageError, match=r"`.*` has no name: give it one"):
        propose(f"__global__ void k({parameters}) {{ }}", "mine")
