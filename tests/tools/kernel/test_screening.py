"""Suspicious constructs in compiled code."""

from __future__ import annotations

import pytest

from tests.compiling import program
from tools.kernel.screening import screen


def compiled(source: str) -> str:
    return program(source, ("k",), assembled=False).ptx


def kernel(body: str, before: str = "") -> str:
    return f'{before}\nextern "C" __global__ void k(const float* x, float* y, int n) {{\n{body}\n}}\n'


@pytest.mark.parametrize(
    ("body", "construct"),
    [
        ("if (clock64() & 1) y[0] = x[0];", "clock read"),
        (
            'unsigned long long t; asm volatile("mov.u64 %0, %globaltimer;" : "=l"(t)); y[0] = t;',
            "clock read",
        ),
        ('unsigned g; asm volatile("mov.u32 %0, %%gridid;" : "=r"(g)); y[0] = g;', "grid number"),
        ('unsigned s; asm volatile("mov.u32 %0, %%smid;" : "=r"(s)); y[0] = s;', "place in the GPU"),
        ("__nanosleep(1000); y[0] = x[0];", "sleep"),
        ('asm volatile("prefetch.global.L2::evict_last [%0];" :: "l"(x)); y[0] = x[0];', "cache policy"),
        ("float* p = (float*)malloc(4); if (p) { *p = x[0]; y[0] = *p; free(p); }", "device heap"),
        ('printf("%f", x[0]); y[0] = x[0];', "printing"),
        ('asm volatile("discard.global.L2 [%0], 128;" :: "l"(y)); y[0] = x[0];', "inline PTX `discard`"),
    ],
)
def test_a_suspicious_construct_is_named_with_its_line(body: str, construct: str) -> None:
    found = {one.construct: one for one in screen(compiled(kernel(body)))}
    assert construct in found
    assert found[construct].line == 3


def test_a_device_variable_that_could_keep_state_is_named() -> None:
    source = kernel("y[0] = x[0] + count; count = count + 1;", "__device__ int count;")
    assert [one.construct for one in screen(compiled(source))] == ["device variable count"]


@pytest.mark.parametrize(
    ("body", "before"),
    [
        ("int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) y[i] = expf(x[i]);", ""),
        (
            "y[threadIdx.x] = x[threadIdx.x] * table[threadIdx.x & 3];",
            "__constant__ float table[4] = {1, 2, 3, 4};",
        ),
        ("__shared__ float s[32]; s[threadIdx.x] = x[threadIdx.x]; __syncthreads(); y[0] = s[3];", ""),
        ('unsigned r; asm("lop3.b32 %0, %1, %1, %1, 0x96;" : "=r"(r) : "r"(n)); y[0] = r;', ""),
        ("y[0] = x[0]; // clock64() malloc nanosleep", ""),
    ],
)
def test_an_ordinary_kernel_raises_no_suspicion(body: str, before: str) -> None:
    assert screen(compiled(kernel(body, before))) == ()


def test_a_flood_of_suspicions_is_bounded() -> None:
    globals_ = "\n".join(f"__device__ int g{i};" for i in range(50))
    uses = "".join(f"g{i} = n;" for i in range(50))
    assert len(screen(compiled(kernel(uses, globals_)))) == 20
