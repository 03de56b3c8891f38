"""What all forms have in common: kernels, task, what was verified, and files that their languages read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.export.forms import Form, package_files
from agent.export.packages import KernelPackage
from tests.agent.export.exporting import array, launched, package, plan_module, planned, small_task
from tests.agent.export.test_plan import HARD, hard
from tests.agent.report.stored_search import report
from tools.tasks.task import CapturedCase, Task, TaskArgument

TYPES = """\
#include <cuda_fp16.h>
#include <cuda_bf16.h>
//@ launch work<<<ceil_div(new * 2, 64), 64>>>(h, b, m, u, out, changed, half, brain, flag, big, new, stream)
extern "C" __global__ void work(const __half* h, const __nv_bfloat16* b, const bool* m, const unsigned long long* u,
        __half* out, __nv_bfloat16* changed, __half half_, __nv_bfloat16 brain, bool flag, unsigned long long big, int n,
        double stream) {
    int i = blockIdx.x * 64 + threadIdx.x;
    if (i >= n) return;
    out[i] = flag && m[i] && u[i] > big ? __float2half((float)stream) : h[i] * half_;
    changed[i] = b[i] * brain;
}
"""


def scalar(name: str, dtype: str, data: str) -> TaskArgument:
    return TaskArgument(name, "scalar", dtype, (), data)


def types() -> Task:
    """A task of many types, whose names mean something in other languages."""
    return small_task(
        [{"new": 8}],
        array("h", "in", "new", dtype="float16"),
        array("b", "in", "new", dtype="bfloat16"),
        array("m", "in", "new", dtype="bool"),
        array("u", "in", "new", dtype="uint64"),
        array("out", "out", "new", dtype="float16"),
        array("changed", "inout", "new", dtype="bfloat16"),
        scalar("half", "float16", "constant(0.5)"),
        scalar("brain", "bfloat16", "normal(0, 1)"),
        scalar("flag", "bool", "constant(1)"),
        scalar("big", "uint64", "integers(0, 9)"),
        scalar("stream", "float64", "constant(2)"),
    )


@pytest.fixture(scope="module")
def packages() -> list[KernelPackage]:
    return [package(hard(), HARD), package(types(), TYPES)]


OF_IMPORTED_TASKS = (Form.FLASHINFER_BENCH, Form.SOL_EXECBENCH)


@pytest.mark.parametrize("form", [one for one in Form if one not in OF_IMPORTED_TASKS])
def test_every_form_has_the_kernel_and_what_was_verified(form: Form, packages: list[KernelPackage]) -> None:
    for made in packages:
        files = package_files(made, form)
        assert files["kernels/kernel_0.cu"].decode() == made.kernels[0].text
        told = files["VERIFICATION.md"].decode()
        assert f"in the form `{form}`" in told
        assert "The launcher of this package has not run on a GPU." in told
        for name, data in files.items():
            if name.endswith(".py"):
                compile(data, name, "exec")
            assert b"{{" not in data or name.endswith((".cubin", ".cpp", ".h")), name


def test_numbers_of_every_type_are_passed_as_planned(packages: list[KernelPackage]) -> None:
    scalars = {"half": 0.5, "brain": 1.00390625, "flag": 1, "big": 2**63 + 5, "stream": 2.0}
    found = launched(plan_module(packages[1]), {"new": 8}, scalars)
    assert found == planned(types(), TYPES, {"new": 8}, scalars)


def test_code_that_no_judgement_ran_is_named() -> None:
    task = small_task([{"n": 8}, {"n": 9}], array("x", "in", "n"), array("out", "out", "n"))
    text = (
        "//@ define WIDTH = 2 if n % 2 == 0 else 1\n"
        "//@ launch copy<<<ceil_div(n, 64), 64>>>(x, out, n)\n"
        'extern "C" __global__ void copy(const float* x, float* out, int n) {\n'
        "    int i = blockIdx.x * 64 + threadIdx.x;\n    if (i < n) out[i] = x[i] * WIDTH / WIDTH;\n}\n"
    )
    made = package(task, text)
    passed = report(1.0, 1.0)
    assert passed.test is not None
    cases = tuple(replace(one, dims={"n": 8}) for one in passed.test.cases)
    judged = replace(passed, test=replace(passed.test, cases=cases))
    made = replace(made, kernels=(replace(made.kernels[0], judgements=(judged,)),))
    told = package_files(made, Form.CUPY)["VERIFICATION.md"].decode()
    assert "code for (WIDTH) = (1,), (2,)" in told
    assert "No judgement ran the code for (1,): these were compiled" in told


def test_operators_of_pytorch_that_say_what_is_right_are_named() -> None:
    task = small_task([{"n": 8}], array("x", "in", "n"), array("out", "out", "n"))
    reference = (
        "from torch_operators import aten\n\n\ndef reference(x, n):\n    return {'out': aten('sinc', x)}\n"
    )
    text = (
        "//@ launch copy<<<ceil_div(n, 64), 64>>>(x, out, n)\n"
        'extern "C" __global__ void copy(const float* x, float* out, int n) {\n'
        "    int i = blockIdx.x * 64 + threadIdx.x;\n    if (i < n) out[i] = x[i];\n}\n"
    )
    made = replace(package(task, text), task=replace(task, reference=reference))
    told = package_files(made, Form.CUPY)["VERIFICATION.md"].decode()
    assert (
        "What is right is what PyTorch's own operator sinc gives in float64, so that judging again needs PyTorch"
        in told
    )
    assert "PyTorch" not in package_files(package(task, text), Form.CUPY)["VERIFICATION.md"].decode()


def test_captured_data_are_named_with_their_hash() -> None:
    case = CapturedCase({"n": 8}, file="x.npz", sha256="ab" * 32)
    task = replace(small_task([{"n": 8}], array("x", "in", "n"), array("out", "out", "n")), captured=(case,))
    text = (
        "//@ launch copy<<<ceil_div(n, 64), 64>>>(x, out, n)\n"
        'extern "C" __global__ void copy(const float* x, float* out, int n) {\n'
        "    int i = blockIdx.x * 64 + threadIdx.x;\n    if (i < n) out[i] = x[i];\n}\n"
    )
    made = package(task, text)
    made = replace(made, kernels=(replace(made.kernels[0], judgements=(report(1.0, 1.0),)),))
    told = package_files(made, Form.CUPY)["VERIFICATION.md"].decode()
    assert f"- Captured data among them: `task/x.npz` at n=8, sha256 `{'ab' * 32}`." in told
