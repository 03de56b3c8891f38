from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from sandbox.compiler.service import Compiler
from sandbox.compiler.standard_headers import HOST_HEADERS
from sandbox.compiler.toolkit import find_toolkit
from sandbox.isolation.process import ProcessIsolation
from sandbox.program import CompileRequest, CompileResult
from tests.exhaustive import EXHAUSTIVE

CUDA = (
    "cuda_fp16.h", "cuda_bf16.h", "cuda_fp8.h", "cuda_runtime.h", "cuda.h", "math_constants.h",
    "device_launch_parameters.h", "cooperative_groups.h", "cooperative_groups/reduce.h", "cuda_pipeline.h",
    "cuda_awbarrier.h", "cub/cub.cuh", "cub/block/block_reduce.cuh", "cuda/std/cstdint", "cuda/std/limits",
    "cuda/std/climits", "cuda/std/type_traits", "cuda/std/cmath", "cuda/std/complex", "cuda/pipeline",
    "cuda/barrier", "cuda/atomic", "cuda/ptx",
)  # fmt: skip
PARTS = (
    "cooperative_groups.h", "cub/block/block_reduce.cuh", "cuda/std/type_traits", "cuda/std/cmath", "cuda/std/complex",
    "cuda/barrier", "cuda/atomic",
)  # fmt: skip
"""Large ones that others of these include; alone they are compiled where EXHAUSTIVE."""
STANDARD = (
    "stdio.h", "stdint.h", "math.h", "float.h", "limits.h", "assert.h", "string.h", "stdlib.h", "stddef.h",
    "stdbool.h", "cstdint", "cmath", "cfloat", "climits", "cstdio", "cassert", "cstring", "cstdlib",
    "cstddef",
)  # fmt: skip
EVERYTHING = "".join(f"#include <{name}>\n" for name in STANDARD)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def compiler() -> AsyncIterator[Compiler]:
    async with Compiler(ProcessIsolation()) as compiler:
        yield compiler


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def compiled(compiler: Compiler, source: str) -> CompileResult:
    result = await compiler.compile(
        CompileRequest(f"{source}\n__global__ void k() {{}}\n", "sm_90", kernels=("k",))
    )
    assert result.program is not None, result.log
    return result


@pytest.mark.parametrize("header", [name for name in CUDA if EXHAUSTIVE or name not in PARTS])
async def test_a_cuda_header_compiles_without_a_word_after_every_stand_in(
    compiler: Compiler, header: str
) -> None:
    assert (await compiled(compiler, f"{EVERYTHING}#include <{header}>\n")).diagnostics == ()


async def test_every_stand_in_compiles_after_every_cuda_header(compiler: Compiler) -> None:
    everything = "".join(f"#include <{header}>\n" for header in CUDA)
    assert (await compiled(compiler, everything + EVERYTHING)).diagnostics == ()


async def test_matrix_fragments_compile_where_their_header_is_installed(compiler: Compiler) -> None:
    if not any((folder / "crt/mma.h").exists() for folder in find_toolkit().include):
        pytest.skip("nvidia-cuda-crt is not installed")
    source = """
#include <mma.h>
using namespace nvcuda;
__global__ void multiply(const half* a, const half* b, float* c) {
    wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> x;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::col_major> y;
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> z;
    wmma::fill_fragment(z, 0.0f);
    wmma::load_matrix_sync(x, a, 16);
    wmma::load_matrix_sync(y, b, 16);
    wmma::mma_sync(z, x, y, z);
    wmma::store_matrix_sync(c, z, 16, wmma::mem_row_major);
}
"""
    result = await compiled(compiler, source)
    assert result.program is not None
    assert "mma.sync" in result.program.ptx


async def test_block_primitives_compile_by_the_header_that_everybody_includes(compiler: Compiler) -> None:
    source = """
#include <cub/cub.cuh>
__global__ void total(const float* x, float* y) {
    typedef cub::BlockReduce<float, 128> Reduce;
    __shared__ typename Reduce::TempStorage storage;
    float sum = Reduce(storage).Sum(x[threadIdx.x]);
    if (threadIdx.x == 0) *y = sum;
}
"""
    await compiled(compiler, source)


@pytest.mark.parametrize(
    "statement",
    [
        "float x = INFINITY + NAN + FLT_MAX + M_PI; int y = INT_MAX; (void)x; (void)y;",
        "size_t a = 0; uint32_t b = 1; int64_t c = INT64_MAX; uintptr_t d = 0; uint e = 1;"
        "(void)(a + b + c + d + e);",
        'printf("%d\\n", 1); assert(threadIdx.x < 1024); memset(nullptr, 0, 0);',
        "float z = max(1.0f, 2.0f) + fminf(1.0f, 2.0f) + isnan(1.0f); (void)z;",
    ],
)
async def test_what_nvcc_brings_by_itself_needs_no_include(compiler: Compiler, statement: str) -> None:
    await compiled(compiler, f"__global__ void f() {{ {statement} }}")


async def test_the_std_names_of_c_headers_work(compiler: Compiler) -> None:
    source = f"""{EVERYTHING}
__global__ void f(float* x, double* y) {{
    x[0] = std::sqrt(x[0]) + std::exp(x[1]) + std::fmax(x[1], x[2]) + std::abs(x[3]) + std::isinf(x[4]);
    y[0] = std::sqrt(y[0]) + std::pow(y[1], y[2]) + std::fma(y[1], y[2], y[3]);
    std::uint32_t a = 1; std::size_t b = 2; x[1] = a + b;
}}
"""
    result = await compiled(compiler, source)
    assert result.program is not None


@pytest.mark.parametrize(
    ("text", "bits"),
    [("INFINITY", "7F800000"), ("FLT_MAX", "7F7FFFFF"), ("FLT_MIN", "00800000"), ("FLT_EPSILON", "34000000")],
)
async def test_a_constant_of_the_prelude_has_the_right_bits(compiler: Compiler, text: str, bits: str) -> None:
    source = f"__global__ void f(float* x, float y) {{ x[0] = y > {text} ? 1 : 2; x[1] = {text}; }}"
    result = await compiled(compiler, source)
    assert result.program is not None
    assert f"0f{bits}" in result.program.ptx or str(int(bits, 16)) in result.program.ptx


async def test_the_standard_library_is_found_under_std_where_cuda_has_it(compiler: Compiler) -> None:
    source = """
    #include <algorithm>
    #include <array>
    #include <cmath>
    #include <limits>
    #include <new>
    #include <type_traits>
    struct Cell { int value; __device__ Cell(int start) : value(start) {} };
    __global__ void uses(int* x, float* y) {
        static_assert(std::is_same<int, std::remove_const_t<const int>>::value);
        std::array<int, 4> few = {x[0], x[1], x[2], x[3]};
        std::swap(few[0], few[1]);
        x[4] = *std::lower_bound(few.begin(), few.end(), 3) + std::clamp(few[2], 1, 2) + std::min({1, 2, 3});
        y[0] = std::sqrt(y[1]) + std::max(y[2], 1.0f) + std::numeric_limits<float>::infinity();
        x[5] = (new (x + 6) Cell(3))->value;
    }"""
    result = await compiled(compiler, source)
    assert result.program is not None, result.diagnostics


async def test_host_headers_are_empty_and_cost_nothing(compiler: Compiler) -> None:
    everything = "".join(f"#include <{name}>\n" for name in sorted(HOST_HEADERS))
    bare, beside = await compiled(compiler, ""), await compiled(compiler, everything)
    assert bare.program is not None
    assert beside.program is not None
    assert beside.program.ptx.count("\n") == bare.program.ptx.count("\n")


async def test_what_gcc_spells_with_underscores_is_taken_as_nvcc_takes_it(compiler: Compiler) -> None:
    source = """
    __global__ void lane(unsigned* out) {
        unsigned found;
        __asm__ __volatile__("mov.u32 %0, %%laneid;" : "=r"(found));
        out[0] = std::min(found, 3u);
    }"""
    assert (await compiled(compiler, source)).program is not None


async def test_defines_stand_behind_the_includes_and_no_line_moves(compiler: Compiler) -> None:
    source = "#include <cub/block/block_reduce.cuh>\n__global__ void k(int* x) {\n  x[0] = V;\n  wrong;\n}\n"
    request = CompileRequest(source, "sm_90", (("V", "4"),), ("k",), defines_line=2)
    failed = await compiler.compile(request)
    assert [(one.line, one.message) for one in failed.diagnostics] == [(4, 'identifier "wrong" is undefined')]
    right = await compiler.compile(replace(request, source=source.replace("  wrong;\n", "")))
    assert right.program is not None
    assert "4" in right.program.ptx


async def test_host_code_is_said_to_be_out_of_place(compiler: Compiler) -> None:
    source = "__global__ void f(int* x) {}\nvoid run(int* x) { f<<<1, 1>>>(x); }\n"
    result = await compiler.compile(CompileRequest(source, "sm_90", kernels=("f",)))
    assert "leave it out, the `//@ launch` lines are what launches kernels" in result.diagnostics[0].message


async def test_an_instruction_that_the_architecture_lacks_is_named(compiler: Compiler) -> None:
    source = '__global__ void w() { asm volatile("wgmma.fence.sync.aligned;"); }'
    result = await compiler.compile(CompileRequest(source, "sm_90", kernels=("w",)))
    assert result.program is None
    assert result.unsupported == "wgmma.fence"


async def test_curand_works_on_the_device_where_its_headers_are_installed(compiler: Compiler) -> None:
    source = """
    #include <curand_kernel.h>
    __global__ void draw(float* x, unsigned long long seed) {
        curandStatePhilox4_32_10_t state;
        curand_init(seed, threadIdx.x, 0, &state);
        x[threadIdx.x] = curand_uniform(&state);
    }"""
    assert (await compiled(compiler, source)).program is not None
