"""A `.cu` file with its host code is a kernel file: what is for the host is left out, and said."""

from __future__ import annotations

import pytest

from tools.kernel.file import parse
from tools.kernel.host_code import host_launches, without_host_code

WHOLE = """\
#include <cstdio>
#include <vector>
#define CUDA_CHECK(call) do { cudaError_t e = call; if (e != cudaSuccess) { \\
    fprintf(stderr, "%s:%d\\n", __FILE__, __LINE__); exit(1); } } while (0)
#define BLOCK 256
//@ launch twice<<<ceil_div(n, 256), 256>>>(x, y, n)
namespace mine {
__device__ float two() { return 2.0f; }
}
struct Pair { float a, b; };
__global__ void twice(const float* x, float* y, int n) {
    int i = blockIdx.x * BLOCK + threadIdx.x;
    if (i < n) y[i] = mine::two() * x[i];  // not host: cudaMalloc
}
// void launch() { twice<<<1, 1>>>(); }
void run(const float* x, float* y, int n) {
    twice<<<(n + BLOCK - 1) / BLOCK, BLOCK>>>(x, y, n);
    CUDA_CHECK(cudaDeviceSynchronize());
}
static float host_sum(const std::vector<float>& v) { float s = 0; for (float one : v) { s += one; } return s; }
int main(int argc, char** argv) {
    printf("}");
    run(nullptr, nullptr, 0);
    return 0;
}
"""


def test_host_functions_and_macros_are_blanked_and_device_code_stays_on_its_lines() -> None:
    left, parts = without_host_code(WHOLE)
    assert [(part.name, part.line) for part in parts] == [
        ("CUDA_CHECK", 3),
        ("run", 16),
        ("host_sum", 20),
        ("main", 21),
    ]
    assert left.count("\n") == WHOLE.count("\n")
    kept = [line for line in left.splitlines() if line.strip()]
    assert kept == [*WHOLE.splitlines()[:2], *WHOLE.splitlines()[4:15]]
    parsed = parse(WHOLE)
    assert [part.name for part in parsed.left_out] == ["CUDA_CHECK", "run", "host_sum", "main"]
    assert parsed.launches[0].line == 6


def test_launches_of_the_host_are_found_as_they_are_written() -> None:
    (launch,) = host_launches(WHOLE)
    assert (launch.kernel, launch.configuration, launch.arguments) == (
        "twice",
        "(n + BLOCK - 1) / BLOCK, BLOCK",
        "x, y, n",
    )


@pytest.mark.parametrize(
    "text",
    [
        "__global__ void k(float* y) { y[0] = 1; }\n",
        "template <typename T> __device__ T f(T x) { return x; }\n",
        'extern "C" { __global__ void k() {} }\n',
        "// cudaMalloc<<<\n/* int main() {} */\n__global__ void k() {}\n",
        "struct S { float f() const { return 1; } };\nconstexpr int f(int x) { return x; }\n",
        "__host__ __device__ int domain(int x) { return x; }\n",
        "enum class E { main };\nconst int table[] = {1, 2};\n",
    ],
)
def test_what_is_for_the_device_stays_as_it_is(text: str) -> None:
    assert without_host_code(text) == (text, ())


@pytest.mark.parametrize(
    "text", ["int main() {", "void f() { cudaFree(0); } }", "#define X \\", "}{", "main"]
)
def test_half_a_file_is_no_reason_to_fail(text: str) -> None:
    left, _ = without_host_code(text)
    assert len(left) == len(text)
