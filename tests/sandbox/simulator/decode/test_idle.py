"""A kernel is counted alike with and without arithmetic that no path and no access depends on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sandbox.device import ProfileResult
from sandbox.simulator.decode.idle import idle
from sandbox.simulator.execute.programs import LoadedProgram, load

N = 4096
HEAD = "int i = blockIdx.x * blockDim.x + threadIdx.x;"
ONLY_DATA = {
    "a polynomial": "float v = x[i]; for (int j = 0; j < 9; ++j) v = v * x[i] + 0.5f; y[i] = expf(v);",
    "a sum by shuffles": (
        "float v = x[i] * x[i]; for (int s = 16; s; s /= 2) v += __shfl_xor_sync(~0u, v, s) * 0.5f; y[i] = v;"
    ),
    "through shared memory": (
        "__shared__ float s[128]; s[threadIdx.x] = x[i] * 3.0f; __syncthreads(); y[i] = s[127 - threadIdx.x] + 1.0f;"
    ),
    "a sum by atomic operations": "atomicAdd(y + i % 7, x[i] * x[i] + 1.0f);",
}
GOES_BY_VALUES = {
    "a branch on what was computed": "if (x[i] * 2.0f > 9.0f) y[i] = 1.0f; else { y[i] = x[i]; y[0] = 2.0f; }",
    "a loop until it converges": "float v = x[i]; while (v > 1.0f) { v *= 0.5f; y[i] = v; }",
    "a guarded store": "float v = x[i] * x[i]; if (v < 50.0f) y[i] = v;",
    "an index out of a value": "y[(int)(x[i] * 3.0f) % 4096] = 1.0f;",
    "an index that was stored before": (
        "__shared__ int s[128]; s[threadIdx.x] = (int)(x[i] * 5.0f) % 4096; __syncthreads();"
        " y[s[127 - threadIdx.x]] = 1.0f;"
    ),
    "an index by a shuffle": "int at = __shfl_sync(~0u, (int)(x[i] * 7.0f) & 4095, i & 3); y[at] = 1.0f;",
    "a shuffle by a value": "y[__shfl_sync(~0u, i, (int)x[i] & 31)] = 1.0f;",
    "a vote": "if (__any_sync(~0u, x[i] * x[i] > 90.0f)) y[i] = 2.0f;",
    "banks of shared memory": (
        "__shared__ float s[4096]; s[threadIdx.x * (1 + (int)x[0])] = 1.0f; __syncthreads(); y[i] = s[threadIdx.x];"
    ),
    "a ticket": (
        "__shared__ int last; if (threadIdx.x == 0) last = atomicAdd(io, 1 + (int)(x[i] * 0.0f)) == gridDim.x - 1;"
        " __syncthreads(); if (last) y[i] = x[i] * 2.0f;"
    ),
    "a carry": "unsigned long long v = (unsigned long long)(x[i] * 4.0e9f) * 3u; y[(v >> 32) & 4095] = 1.0f;",
}


def arguments(repeated: Any) -> dict[str, Any]:
    values = np.arange(128, dtype=np.float32) % 11
    return {"x": repeated(values, N), "y": ("float32", N), "io": np.zeros(1, np.int32)}


def source(body: str) -> str:
    return f'extern "C" __global__ void k(const float* x, float* y, int* io) {{ {HEAD} {body} }}'


def counted_both_ways(
    unit: Any, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch, **options: Any
) -> tuple[ProfileResult, ProfileResult]:
    without = unit.profile(N // 128, 128, given, **options)
    with monkeypatch.context() as patch:
        patch.setattr(LoadedProgram, "counted", lambda self, code: code)
        return without, unit.profile(N // 128, 128, given, **options)


@pytest.mark.parametrize(
    "body", [*ONLY_DATA.values(), *GOES_BY_VALUES.values()], ids=[*ONLY_DATA, *GOES_BY_VALUES]
)
def test_counts_and_estimates_are_the_same(
    body: str, cuda: Any, repeated: Any, monkeypatch: pytest.MonkeyPatch
):
    without, whole = counted_both_ways(cuda(source(body)), arguments(repeated), monkeypatch)
    assert without.fault is None
    assert without == whole


def left_out(unit: Any) -> list[str]:
    module = load(unit.program("k")).module
    found = idle(module.functions.values())
    return [one.mnemonic for one in module.functions["k"].body if id(one) in found]


@pytest.mark.parametrize("body", ONLY_DATA.values(), ids=ONLY_DATA)
def test_what_is_loaded_and_computed_only_to_be_stored_is_left_out(body: str, cuda: Any):
    opcodes = {one.partition(".")[0] for one in left_out(cuda(source(body)))}
    assert opcodes & {"mul", "fma", "add"}
    assert "ld" in opcodes


@pytest.mark.parametrize("body", GOES_BY_VALUES.values(), ids=GOES_BY_VALUES)
def test_what_a_path_or_an_access_depends_on_is_computed(body: str, cuda: Any):
    assert [
        one
        for one in left_out(cuda(source(body)))
        if one.startswith(("mul", "fma", "cvt", "add", "ld.global"))
    ] == []


def test_a_launch_that_goes_by_what_another_one_stored_is_counted_by_that(
    cuda: Any, repeated: Any, monkeypatch: pytest.MonkeyPatch
):
    body = "int at = io[0]; if (x[i] + y[at] > 3.0f) y[i] = x[i] * 2.0f; if (i == 0) io[0] = (int)(x[9] * 100.0f);"
    given = arguments(repeated)
    without, whole = counted_both_ways(cuda(source(body)), given, monkeypatch, launches=2)
    assert without.fault is None
    assert without == whole
