"""Hazards that lock step would hide, and honest kernels that must not be accused."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.verdict import Verdict

X = np.random.default_rng(5).standard_normal(1024).astype(np.float32)
HEAD = (
    'extern "C" __global__ void k(const float* x, float* y) { int t = threadIdx.x, i = blockIdx.x * 256 + t; '
)
S = "__shared__ float s[256]; s[t] = x[i]; "
TREE = "for (int o = 128; o; o >>= 1) { if (t < o) s[t] += s[t + o]; %s } "

HAZARDS = {
    "no barrier": (S + "y[i] = s[255 - t];", Verdict.RACE),
    "lanes of a warp without syncwarp": (S + "y[i] = s[t ^ 1];", Verdict.RACE),
    "syncwarp does not order warps": (S + "__syncwarp(); y[i] = s[t ^ 32];", Verdict.RACE),
    "write after read": (S + "__syncthreads(); float a = s[255 - t]; s[t] = a; __syncthreads(); y[i] = s[t];", Verdict.RACE),
    "part of shared memory never written": (
        "__shared__ float s[256]; if (t < 128) s[t] = x[i]; __syncthreads(); y[i] = s[t];", Verdict.UNINITIALIZED),
    "all threads write different values": ("__shared__ float s; s = x[i]; __syncthreads(); y[i] = s;", Verdict.RACE),
    "blocks write one element": ("y[t] = x[i]; if (t) y[i] = 0;", Verdict.RACE),
    "a block reads what another wrote": ("y[i] = x[i]; y[(i + 256) % 1024] += 1;", Verdict.RACE),
    "threads swap through global memory": (
        "y[i] = x[i]; __syncthreads(); float v = y[blockIdx.x * 256 + 255 - t]; y[i] = v;", Verdict.RACE),
    "tree without barriers": (S + "__syncthreads(); " + TREE % "" + "y[i] = s[0];", Verdict.RACE),
    "tree without the last barriers": (
        S + "__syncthreads(); " + TREE % "if (o > 32) __syncthreads();" + "__syncthreads(); y[i] = s[0];", Verdict.RACE),
    "tile reused without a barrier": (
        "__shared__ float s[256]; float a = 0; for (int j = 0; j < 3; j++) { s[t] = x[(i + j) % 1024];"
        " __syncthreads(); a += s[255 - t]; } y[i] = a;", Verdict.RACE),
    "output read before it is written": ("y[i] += x[i];", Verdict.UNINITIALIZED),
    "one past the end": ("y[i] = x[i + 1];", Verdict.MEMORY_FAULT),
    "barrier in a branch": (
        S + "if (t < 100) __syncthreads(); y[i] = s[t]; __syncthreads();", Verdict.BARRIER_DIVERGENCE),
}  # fmt: skip

HONEST = {
    "barrier": S + "__syncthreads(); y[i] = s[255 - t];",
    "syncwarp within a warp": S + "__syncwarp(); y[i] = s[t ^ 1];",
    "tree": S + "__syncthreads(); " + TREE % "__syncthreads();" + "y[i] = s[0];",
    "one value from all threads": "__shared__ float s; s = 3.0f; __syncthreads(); y[i] = s;",
    "one value from all blocks": "y[t] = 1.0f; if (blockIdx.x) y[i] = 1.0f;",
    "global exchange inside a block": (
        "y[i] = x[i]; __syncthreads(); float v = y[blockIdx.x * 256 + 255 - t]; __syncthreads(); y[i] = v;"
    ),
    "bytes next to each other": "__shared__ char s[256]; s[t] = (char)t; __syncthreads(); y[i] = s[255 - t];",
    "threads that left before the barrier": "if (t >= 200) { y[i] = 0; return; } "
    + S
    + "__syncthreads(); y[i] = s[199 - t];",
    "vectors with a tail": (
        "if (i < 255) ((float4*)y)[i] = ((const float4*)x)[i]; else if (i < 259) y[i + 765] = x[i + 765];"
    ),
}


@pytest.mark.parametrize("name", HAZARDS)
def test_a_hazard_is_found_whatever_lock_step_hides(cuda, name):
    body, verdict = HAZARDS[name]
    fault = cuda(HEAD + body + "}").run(4, 256, {"x": X, "y": ("float32", 1024)}).fault
    assert fault is not None
    assert fault.verdict is verdict, fault
    assert fault.line == 1


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_kernel_is_not_accused(cuda, name):
    fault = cuda(HEAD + HONEST[name] + "}").run(4, 256, {"x": X, "y": ("float32", 1024)}).fault
    assert fault is None, fault


def test_lanes_that_take_no_part_do_not_decide_which_buffer_is_watched(cuda):
    source = """extern "C" __global__ void k(const float* x, float* y, int n) {
      int i = blockIdx.x * 256 + threadIdx.x;
      for (int j = i; j < n / 4; j += gridDim.x * 256) {
        float4 v = ((const float4*)x)[j]; v.x = fmaxf(v.x, 0.f); ((float4*)y)[j] = v; }
      for (int j = n / 4 * 4 + i; j < n; j += gridDim.x * 256) y[j] = fmaxf(x[j], 0.f); }"""
    x = np.random.default_rng(1).standard_normal(65537).astype(np.float32)
    for poison in (1, 2):
        result = cuda(source).run(132, 256, {"x": x, "y": ("float32", 65537), "n": 65537}, poison=poison)
        assert result.fault is None, result.fault
