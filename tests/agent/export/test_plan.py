"""What a package launches is what was judged, at every size: the plan in Python beside the planner."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from agent.export.packages import ChosenKernel
from tests.agent.export.exporting import (
    EXAMPLES,
    Everywhere,
    array,
    compiled,
    example,
    launched,
    package,
    plan_module,
    planned,
    small_task,
)
from tools.tasks.task import TaskArgument

HARD = """\
//@ tune BLOCK = 64 in 32, 64
//@ define WIDE = n % 4 == 0
//@ define BLOCKS = ceil_div(n, BLOCK)
//@ scratch partial: float64[BLOCKS, 2]
//@ fill partial = -1.5
//@ constant taps = weights
//@ zero total
//@ launch work<WIDE><<<(BLOCKS, 2), dim3(BLOCK), 4 * BLOCK>>>(x, partial, {n, 0.5, out}, alpha, f16(1.5), null, u8(n % 7), 0 - n)
//@ launch finish<<<1, next_pow2(BLOCKS) if 1 < BLOCKS < 33 else log2(n + 1) + 1>>>(partial, out, total, BLOCKS - 5 // 2)
#include <cuda_fp16.h>
struct Sizes { long long n; float scale; float* out; };
__constant__ float taps[8];
template <int WIDTH>
__global__ void work(const float* x, double* partial, Sizes sizes, float alpha, __half h, int* none, unsigned char b, long long m) {
    extern __shared__ float tile[];
    if (blockIdx.x * blockDim.x + threadIdx.x < sizes.n && !none && m < 0 && b < 7)
        sizes.out[0] = taps[0] * alpha * sizes.scale * WIDTH + x[0] + partial[0] + __half2float(h) + tile[0];
}
extern "C" __global__ void finish(const double* partial, float* out, int* total, long long blocks) {
    if (threadIdx.x == 0) { out[0] += partial[0] + blocks; total[0] = 1; }
}
"""
SIZES = [{"n": size} for size in (1, 7, 64, 100, 1025)]


def hard():
    return small_task(
        SIZES,
        array("x", "in", "n"),
        array("weights", "in", "8"),
        TaskArgument("alpha", "scalar", "float32", (), "uniform(0, 1)"),
        array("out", "out", "n"),
        array("total", "out", "1", dtype="int32"),
    )


def test_every_launch_of_a_kernel_with_everything_is_as_planned() -> None:
    task = hard()
    module = plan_module(package(task, HARD))
    for dims in SIZES:
        assert launched(module, dims, {"alpha": 0.25}) == planned(task, HARD, dims, {"alpha": 0.25}), dims
    work = module.work(module.Sizes(100))
    whole = module.argument_buffer(work.launches[2], Everywhere(), {"alpha": 0.25})
    given = module.arguments(work.launches[2], Everywhere(), {"alpha": 0.25})
    places = [
        0,
        8,
        16,
        40,
        44,
        48,
        56,
        64,
    ]  # of two pointers, a struct, float, half, pointer, byte, long long
    assert [whole[place:][: len(data)] for place, data in zip(places, given, strict=True)] == given
    assert len(whole) == 72
    assert work.scratch == {"partial": ("float64", 4)}
    assert work.constants == (("taps", "weights", 32),)


@pytest.mark.parametrize("name", ["matmul", "attention", "conv2d", "softmax", "histogram"])
def test_the_baselines_launches_are_as_planned(name: str) -> None:
    task = example(name)
    module = plan_module(package(task, task.baseline))
    scalars = {argument.name: 2 for argument in task.arguments if argument.is_scalar}
    for case in task.tests[:3]:
        assert launched(module, case.dims, scalars) == planned(task, task.baseline, case.dims, scalars)


def test_code_that_depends_on_sizes_is_chosen_by_what_its_macros_are() -> None:
    task = example("matmul")
    kernel = (EXAMPLES / "kernels/matmul/loop_unrolling-read_only_cache-vectorized_loads.cu").read_text()
    made = package(task, kernel)
    keys = made.kernels[0].compiled.keys
    assert set(keys) == {"LEFT_WIDTH", "RIGHT_WIDTH", "OUT_WIDTH"}
    module = plan_module(made)
    for m, n, k in itertools.product((4, 5), (8, 9), (12, 13)):
        dims = {"m": m, "n": n, "k": k}
        assert launched(module, dims, {}) == planned(task, kernel, dims, {})


FIXED = """\
//@ define COLS = n
//@ launch copy<<<1, COLS>>>(x, out)
extern "C" __global__ void copy(const float* x, float* out) { if (threadIdx.x < COLS) out[threadIdx.x] = x[threadIdx.x]; }
"""


def test_a_kernel_with_constant_dimensions_serves_the_sizes_it_was_exported_for_and_says_so() -> None:
    task = small_task([{"n": 8}, {"n": 320}], array("x", "in", "n"), array("out", "out", "n"))
    module = plan_module(package(task, FIXED, sizes=[{"n": 16}]))
    assert [launched(module, {"n": size}, {})[0][2] for size in (8, 16, 320)] == [
        (8, 1, 1), (16, 1, 1), (320, 1, 1),
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"holds code for \(COLS\) = .*ask for \(9,\).*--size n=9"):
        module.work(module.Sizes(9))


PLAIN = FIXED.replace("//@ define COLS = n\n", "").replace("(x, out)", "(x, out, n)").replace(
    "float* out)", "float* out, int COLS)"
).replace("1, COLS", "1, 1024")  # fmt: skip


def test_the_kernel_that_was_best_at_the_nearest_shape_is_launched_and_the_next_where_it_holds_no_code() -> (
    None
):
    task = small_task([{"n": 8}, {"n": 320}], array("x", "in", "n"), array("out", "out", "n"))
    made = package(task, FIXED, PLAIN)
    module = plan_module(made)
    module.CHOICES = ((0, module.Sizes(8)), (1, module.Sizes(1000)))
    assert [module.work(module.Sizes(size)).kernel for size in (8, 9, 900)] == [0, 1, 1]
    module.CHOICES = ((0, module.Sizes(8)),)
    module.work.cache_clear()
    assert [module.work(module.Sizes(size)).kernel for size in (8, 9)] == [0, 1]


def test_a_kernel_that_would_never_be_launched_is_left_out() -> None:
    task = small_task([{"n": 8}], array("x", "in", "n"), array("out", "out", "n"))
    made = package(task, PLAIN, PLAIN, FIXED.replace("n\n", "n * 1024 + 8\n", 1))
    first, second, fixed = made.kernels
    only = replace(made, choices=(ChosenKernel({"n": 8}, 1),))
    assert (only.idle, only.needed.kernels) == ((first, fixed), (second,))
    assert only.needed.choices == (ChosenKernel({"n": 8}, 0),)
    beside = replace(made, choices=(ChosenKernel({"n": 8}, 2),))
    assert beside.needed == beside


def test_shapes_that_do_not_fit_are_refused_with_what_was_expected() -> None:
    task = example("matmul")
    module = plan_module(package(task, task.baseline))
    names = [argument.name for argument in task.arguments if argument.is_input]
    shapes = module.shapes(module.Sizes(m=2, n=3, k=4))
    assert module.sizes_of({name: shapes[name] for name in names}) == module.Sizes(m=2, n=3, k=4)
    with pytest.raises(ValueError, match=r"expected .* of shape"):
        module.sizes_of({name: (2, 5) if name == names[1] else shapes[name] for name in names})
    with pytest.raises(ValueError, match=r"expected .* of shape"):
        module.sizes_of({name: (2,) for name in names})


def test_numbers_that_a_parameter_does_not_hold_are_refused() -> None:
    task = example("vector_add")
    module = plan_module(package(task, task.baseline))
    with pytest.raises(ValueError, match="expected a value of int32, found"):
        module.work(module.Sizes(2**31))
    assert module.packed("bfloat16", 1.00390625) == b"\x80\x3f"  # a tie goes to the even one
    assert module.packed("bfloat16", float("nan")) == b"\xc0\x7f"


def test_code_is_chosen_by_compute_capability_and_ptx_serves_later_ones() -> None:
    task = example("vector_add")
    found = compiled(task, task.baseline, [{"n": 100}], architectures=("sm_80", "sm_90"))
    assert [image.architecture for image in found.variants[0].images] == ["sm_80", "sm_90"]
    module = plan_module(package(task, task.baseline))
    assert module.image_for(0, 0, 9, 0).file == "k0_v0_sm_90.cubin"
    assert module.image_for(0, 0, 12, 0).file == "k0_v0.ptx"
    with pytest.raises(ValueError, match="export it again with --arch sm_80"):
        module.image_for(0, 0, 8, 0)
