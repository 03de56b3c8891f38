"""Asynchronous copies: right results, and every way to touch a stage too early or too late."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.verdict import Verdict

X = np.random.default_rng(11).standard_normal(1024).astype(np.float32)
HEAD = """#include <cuda_pipeline.h>
extern "C" __global__ void k(const float* x, float* scratch, float* y) {
  __shared__ float s[2][256]; int t = threadIdx.x; float a = 0; y[t] = 0;
"""
COPY = "__pipeline_memcpy_async(&s[%s][t], &x[%s * 256 + t], 4); __pipeline_commit(); "
WAIT, SYNC = "__pipeline_wait_prior(0); ", "__syncthreads(); "
STAGES = (
    COPY % (0, 0)
    + "\nfor (int i = 0; i < 4; i++) {{ if (i < 3) {{ {copy} }} __pipeline_commit();\n"
    + "__pipeline_wait_prior({groups}); {after_wait} a += s[i & 1][255 - t] * (i + 1); {after_use} }} y[t] = a;"
)


def stages(groups=1, after_wait=SYNC, after_use=SYNC, stage="(i + 1) & 1"):
    copy = f"__pipeline_memcpy_async(&s[{stage}][t], &x[(i + 1) * 256 + t], 4);"
    return STAGES.format(copy=copy, groups=groups, after_wait=after_wait, after_use=after_use)


LANDED = COPY % (0, 0) + WAIT + SYNC
MISTAKES = {
    "no wait": (COPY % (0, 0) + SYNC + "y[t] = s[0][255 - t];", 4),
    "no wait before reading one's own": (COPY % (0, 0) + "y[t] = s[0][t];", 4),
    "no barrier after the wait": (COPY % (0, 0) + WAIT + "y[t] = s[0][255 - t];", 4),
    "the barrier before the wait": (COPY % (0, 0) + SYNC + WAIT + "y[t] = s[0][255 - t];", 4),
    "a write while the copy is under way": (
        COPY % (0, 0) + "s[0][t] = 1;" + WAIT + SYNC + "y[t] = s[0][t];",
        4,
    ),
    "the copy over a write of another thread": ("s[0][255 - t] = 1;\n" + LANDED + "y[t] = s[0][t];", 4),
    "two copies to one place": (COPY % (0, 0) + COPY % (0, 1) + WAIT + SYNC + "y[t] = s[0][t];", 4),
    "one group too many may be under way": (stages(groups=2), 6),
    "no barrier after the wait in a loop": (stages(after_wait=""), 6),
    "a stage overwritten while others read it": (stages(after_use=""), 5),
    "the stage that is being read is copied to": (stages(stage="i & 1"), 5),
    "the source written before the copy is done": (
        "scratch[t] = 1; __pipeline_memcpy_async(&s[0][t], scratch + t, 4); __pipeline_commit();\n"
        "scratch[t] = 2; " + WAIT + SYNC + "y[t] = s[0][255 - t];",
        5,
    ),
}
HONEST = {
    "wait and barrier": COPY % (0, 0) + WAIT + SYNC + "y[t] = s[0][255 - t];",
    "one's own after the wait": COPY % (0, 0) + WAIT + "y[t] = s[0][t];",
    "a write after the copy is done": COPY % (0, 0)
    + WAIT
    + "s[0][t] += 1; "
    + SYNC
    + "y[t] = s[0][255 - t];",
    "two stages": stages(),
    "two stages, all waited for": stages(groups=0, stage="(i + 1) & 1"),
    "the source written afterwards": "scratch[t] = 1; __pipeline_memcpy_async(&s[0][t], scratch + t, 4);"
    " __pipeline_commit(); " + WAIT + SYNC + "scratch[t] = 2; y[t] = s[0][255 - t];",
}
ARGUMENTS = {"x": X, "scratch": ("float32", 1024), "y": ("float32", 256)}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_stage_touched_too_early_is_a_race(cuda, name):
    body, line = MISTAKES[name]
    fault = cuda(HEAD + body + "}", "sm_80").run(1, 256, ARGUMENTS).fault
    assert fault is not None
    assert fault.verdict is Verdict.RACE, fault
    assert line in {fault.line, fault.other_line}, fault
    assert "thread" in fault.message


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_copy_is_not_accused(cuda, name):
    result = cuda(HEAD + HONEST[name] + "}", "sm_80").run(1, 256, ARGUMENTS)
    assert result.fault is None, result.fault
    if "two stages" in name:
        expected = (X.reshape(4, 256)[:, ::-1] * np.arange(1, 5)[:, None]).sum(axis=0)
        assert np.allclose(result.outputs["y"], expected, atol=1e-5)


def test_a_copy_shorter_than_its_place_fills_it_with_zeros_and_reads_no_further(cuda):
    source = """extern "C" __global__ void k(const float* x, float* y, int n) {
      __shared__ float4 s[64]; int t = threadIdx.x, left = max(0, min(16, (n - 4 * t) * 4));
      unsigned to = (unsigned)__cvta_generic_to_shared(s + t);
      asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" :: "r"(to), "l"(x + 4 * t), "r"(left));
      asm volatile("cp.async.wait_all;" ::: "memory");
      __syncthreads();
      ((float4*)y)[t] = s[63 - t];
      __syncthreads();
      to = (unsigned)__cvta_generic_to_shared((float2*)s + (t ^ 1));
      asm volatile("{ .reg .pred p; setp.ge.s32 p, %2, 32; cp.async.ca.shared.global [%0], [%1], 8, p; }"
        :: "r"(to), "l"(x), "r"(t));
      asm volatile("cp.async.wait_all;" ::: "memory");
      __syncthreads();
      ((float2*)y)[128 + t] = ((float2*)s)[t]; }"""
    x = X[:101]
    result = cuda(source, "sm_80").run(1, 64, {"x": x, "y": ("float32", 384), "n": 101})
    assert result.fault is None, result.fault
    padded = np.concatenate([x, np.zeros(155, np.float32)]).reshape(64, 4)
    assert np.array_equal(result.outputs["y"][:256].reshape(64, 4), padded[::-1])
    pairs = result.outputs["y"][256:].reshape(64, 2)
    assert np.array_equal(pairs, np.where(np.arange(64)[:, None] >= 32, 0, x[:2]))
    beyond = cuda(source, "sm_80").run(1, 64, {"x": x, "y": ("float32", 384), "n": 102}).fault
    assert beyond is not None
    assert beyond.verdict is Verdict.MEMORY_FAULT


MATMUL = """#include <cuda_pipeline.h>
extern "C" __global__ void k(const float* A, const float* B, float* C, int n) {
  __shared__ float a[2][16][16], b[2][16][16];
  int x = threadIdx.x, y = threadIdx.y, row = blockIdx.y * 16 + y, col = blockIdx.x * 16 + x, tiles = (n + 15) / 16;
  float sum = 0;
  auto load = [&](int t, int stage) {
    bool in_a = row < n && t * 16 + x < n, in_b = col < n && t * 16 + y < n;
    __pipeline_memcpy_async(&a[stage][y][x], in_a ? &A[row * n + t * 16 + x] : A, 4, in_a ? 0 : 4);
    __pipeline_memcpy_async(&b[stage][y][x], in_b ? &B[(t * 16 + y) * n + col] : B, 4, in_b ? 0 : 4);
  };
  load(0, 0); __pipeline_commit();
  for (int t = 0; t < tiles; t++) {
    if (t + 1 < tiles) load(t + 1, (t + 1) & 1);
    __pipeline_commit(); __pipeline_wait_prior(1); __syncthreads();
    for (int k = 0; k < 16; k++) sum += a[t & 1][y][k] * b[t & 1][k][x];
    __syncthreads();
  }
  if (row < n && col < n) C[row * n + col] = sum;
}"""


@pytest.mark.parametrize("n", [64, 149])
def test_a_double_buffered_matmul_is_right(cuda, n):
    rng = np.random.default_rng(3)
    a, b = (rng.standard_normal((n, n)).astype(np.float32) for _ in range(2))
    blocks = -(-n // 16)
    arguments = {"A": a.reshape(-1), "B": b.reshape(-1), "C": ("float32", n * n), "n": n}
    result = cuda(MATMUL).run((blocks, blocks, 1), (16, 16, 1), arguments)
    assert result.fault is None, result.fault
    expected = a.astype(np.float64) @ b.astype(np.float64)
    assert np.allclose(result.outputs["C"].reshape(n, n), expected, atol=1e-4)
    racy = MATMUL.replace("__syncthreads();\n  }", "}")
    fault = cuda(racy).run((blocks, blocks, 1), (16, 16, 1), arguments).fault
    assert fault is not None
    assert fault.verdict is Verdict.RACE


def test_blocks_with_different_numbers_of_tiles_prefetch_the_next(cuda):
    source = """#include <cuda_pipeline.h>
extern "C" __global__ void k(const float* x, float* y, int n) {
  __shared__ float s[2][64]; int t = threadIdx.x, stage = 0;
  auto load = [&](int tile) { if (tile < n) __pipeline_memcpy_async(&s[stage][t], &x[tile * 64 + t], 4);
    __pipeline_commit(); };
  load(blockIdx.x);
  for (int tile = blockIdx.x; tile < n; tile += gridDim.x) {
    stage ^= 1; load(tile + gridDim.x); stage ^= 1;
    __pipeline_wait_prior(1); __syncthreads();
    y[tile * 64 + t] = s[stage][63 - t];
    __syncthreads(); stage ^= 1;
  } }"""
    result = cuda(source).run(3, 64, {"x": X, "y": ("float32", 1024), "n": 16})
    assert result.fault is None, result.fault
    assert np.array_equal(result.outputs["y"].reshape(16, 64), X.reshape(16, 64)[:, ::-1])
    racy = source.replace("63 - t];\n    __syncthreads();", "63 - t];\n   ")
    fault = cuda(racy).run(3, 64, {"x": X, "y": ("float32", 1024), "n": 16}).fault
    assert fault is not None
    assert fault.verdict is Verdict.RACE


def test_a_profile_counts_copies_under_nsights_name(cuda):
    arguments = {"A": X, "B": X, "C": ("float32", 1024), "n": 32}
    result = cuda(MATMUL).profile((2, 2, 1), (16, 16, 1), arguments)
    assert result.fault is None, result.fault
    counted = {m.name: m.value for m in result.launches[0].metrics}
    copies = 4 * 8 * 2 * 2
    assert counted["smsp__inst_executed_op_ldgsts.sum"] == copies
    assert counted["smsp__inst_executed_op_shared_st.sum"] == copies


@pytest.mark.parametrize("wait", [1, 0])
def test_groups_copy_together_and_wait_together(cuda, wait):
    source = """#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
namespace cg = cooperative_groups;
extern "C" __global__ void k(const float* x, float* y, int n, int wait) {
  __shared__ float s[256]; auto block = cg::this_thread_block();
  cg::memcpy_async(block, s, x, sizeof(float) * n);
  if (wait) cg::wait(block); else block.sync();
  for (int i = threadIdx.x; i < n; i += 64) y[i] = s[n - 1 - i]; }"""
    result = cuda(source).run(1, 64, {"x": X, "y": ("float32", 201), "n": 201, "wait": wait})
    if wait:
        assert result.fault is None, result.fault
        assert np.array_equal(result.outputs["y"], X[:201][::-1])
    else:
        assert result.fault is not None
        assert result.fault.verdict is Verdict.RACE


def test_a_pipeline_of_one_thread_waits_for_its_own_stage(cuda):
    source = """#include <cuda/pipeline>
extern "C" __global__ void k(const float* x, float* y, int late) {
  __shared__ float s[3][128]; int t = threadIdx.x; float sum = 0;
  auto pipe = cuda::make_pipeline();
  for (int i = 0; i < 2; i++) { pipe.producer_acquire();
    cuda::memcpy_async(&s[i][t], x + i * 128 + t, sizeof(float), pipe); pipe.producer_commit(); }
  for (int i = 0; i < 6; i++) {
    if (i + 2 < 6) { pipe.producer_acquire();
      cuda::memcpy_async(&s[(i + 2) % 3][t], x + (i + 2) * 128 + t, sizeof(float), pipe); pipe.producer_commit(); }
    if (late) cuda::pipeline_consumer_wait_prior<3>(pipe);
    else if (i + 2 < 6) cuda::pipeline_consumer_wait_prior<2>(pipe);
    else cuda::pipeline_consumer_wait_prior<0>(pipe);
    __syncthreads(); sum += s[i % 3][127 - t]; __syncthreads(); pipe.consumer_release(); }
  y[t] = sum; }"""
    arguments = {"x": X, "y": ("float32", 128)}
    result = cuda(source).run(1, 128, arguments | {"late": 0})
    assert result.fault is None, result.fault
    expected = X[:768].reshape(6, 128)[:, ::-1].sum(axis=0)
    assert np.allclose(result.outputs["y"], expected, atol=1e-5)
    fault = cuda(source).run(1, 128, arguments | {"late": 1}).fault
    assert fault is not None
    assert fault.verdict is Verdict.RACE
