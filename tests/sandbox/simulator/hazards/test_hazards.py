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
    "lane left out of its mask": ("y[i] = __shfl_down_sync(0x0000ffffu, x[i], 1);", Verdict.BARRIER_DIVERGENCE),
    "lanes with different masks": (
        "y[i] = __shfl_xor_sync(t % 32 < 16 ? 0xffffffffu : 0xffff0000u, x[i], 1);", Verdict.BARRIER_DIVERGENCE),
    "syncwarp of another warp": (S + "if (t < 32) __syncwarp(); y[i] = s[t ^ 1];", Verdict.RACE),
    "barrier skipped by leaving": (
        S + "__syncthreads(); if (t >= 128) { y[i] = s[t]; return; } __syncthreads(); y[i] = s[t];",
        Verdict.BARRIER_DIVERGENCE),
    "local element never written": (
        "float a[8]; for (int j = 0; j < 7; j++) a[(j + t) % 7] = x[j]; y[i] = a[(t * 5 + 3) & 7];",
        Verdict.UNINITIALIZED),
    "local array overrun": (
        "float a[8]; for (int j = 0; j < 8; j++) a[(j + t) & 7] = x[j]; y[i] = a[t % 9];", Verdict.MEMORY_FAULT),
    "one shared array overrun into the next": (
        "__shared__ float a[256], b[256]; a[t] = b[t] = x[i]; __syncthreads(); y[i] = a[t + 1] + b[t];",
        Verdict.MEMORY_FAULT),
    "barrier in a branch": (
        S + "if (t < 100) __syncthreads(); y[i] = s[t]; __syncthreads();", Verdict.BARRIER_DIVERGENCE),
}  # fmt: skip

HONEST = {
    "barrier": S + "__syncthreads(); y[i] = s[255 - t];",
    "syncwarp within a warp": S + "__syncwarp(); y[i] = s[t ^ 1];",
    "tree": S + "__syncthreads(); " + TREE % "__syncthreads();" + "y[i] = s[0];",
    "one value from all threads": "__shared__ float s; s = 3.0f; __syncthreads(); y[i] = s;",
    "one value from all blocks": "y[t] = 1.0f; if (blockIdx.x) y[i] = 1.0f;",
    "one value from all threads beside other stores": S
    + "__shared__ int b; b = blockIdx.x; __syncthreads(); y[i] = b;",
    "shuffle of half a warp whose odd results nobody uses": (
        "float v = x[i]; y[i] = 0; if (t % 32 < 16) { for (int o = 8; o; o >>= 1) v += __shfl_down_sync(0xffffu, v, o);"
        " if (t % 32 == 0) y[i] = v; }"
    ),
    "halves of a word from two threads": (
        "unsigned short* h = (unsigned short*)y; for (int j = 0; j < 2; j++) h[blockIdx.x * 512 + 2 * ((t + j) % 256) + j] = j;"
    ),
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


VARIABLES = "__device__ int flag[8]; __device__ int lock; __device__ int c; "
LOCKED = "bool done = false; while (!done) if (atomicCAS(&lock, 0, 1) == 0) { %s c += 1; %s atomicExch(&lock, 0); done = true; }"
WAIT = "if (t == 0 && blockIdx.x) { while (((volatile int*)flag)[blockIdx.x - 1] == 0); __threadfence(); v = c; c = v + 1; } "
RAISE = "else if (t == 0) c = 1; if (t == 0) { %s ((volatile int*)flag)[blockIdx.x] = 1; }"


@pytest.mark.parametrize(
    ("body", "blocks", "verdict"),
    [
        ("c += 1;", 2, Verdict.RACE),
        (LOCKED % ("__threadfence();", "__threadfence();"), 1, None),
        (LOCKED % ("", ""), 1, Verdict.RACE),
        ("int v = 0; " + WAIT + RAISE % "__threadfence();", 4, None),
        ("int v = 0; " + WAIT + RAISE % "", 4, Verdict.RACE),
    ],
    ids=["plain counter", "lock", "lock without fences", "flags", "flags without a fence"],
)
def test_device_variables_are_watched_and_locks_and_flags_with_fences_are_honest(cuda, body, blocks, verdict):
    result = cuda(VARIABLES + HEAD + body + " y[i] = 1; }").run(blocks, 32, {"x": X, "y": ("float32", 1024)})
    assert (result.fault and result.fault.verdict) is verdict, result.fault


def test_two_runs_differ_where_the_order_of_threads_at_an_atomic_decides(cuda):
    body = (
        "__shared__ int n; if (!t) n = 0; __syncthreads(); y[blockIdx.x * 256 + atomicAdd(&n, 1)] = x[i]; }"
    )
    runs = [cuda(HEAD + body).run(4, 256, {"x": X, "y": ("float32", 1024)}, poison=p) for p in (1, 2)]
    assert all(run.fault is None for run in runs)
    assert not np.array_equal(runs[0].outputs["y"], runs[1].outputs["y"])


def test_an_exchange_may_be_the_first_to_write_and_other_atomics_may_not(cuda):
    source = """extern "C" __global__ void k(float* y, int* flag) {
      __shared__ float part[32]; int t = threadIdx.x;
      atomicExch(&part[t], 1.0f + t); if (t == 0) atomicExch(flag, 7); y[t] = part[t]; }"""
    buffers = {"y": ("float32", 32), "flag": ("int32", 1)}
    result = cuda(source).run(1, 32, buffers)
    assert result.fault is None, result.fault
    assert result.outputs["y"].tolist() == [1.0 + t for t in range(32)]
    assert result.outputs["flag"].tolist() == [7]
    for old, new in (("atomicExch(&part", "atomicAdd(&part"), ("atomicExch(flag", "atomicAdd(flag")):
        fault = cuda(source.replace(old, new)).run(1, 32, buffers).fault
        assert fault is not None
        assert fault.verdict == "uninitialized"
