"""Which blocks are counted: a sample, or all where blocks take tickets, wait for each other, or differ."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.budget import Work
from sandbox.simulator import sampling
from sandbox.verdict import Verdict

CHUNK = 1024
CHUNKS = 600

TICKETS = f"""__global__ void k(const float* x, float* y, int* io, int chunks) {{
  __shared__ int taken;
  while (true) {{
    if (threadIdx.x == 0) taken = atomicAdd(io, 1);
    __syncthreads();
    int chunk = taken;
    __syncthreads();
    if (chunk >= chunks) return;
    for (int i = threadIdx.x; i < {CHUNK}; i += blockDim.x) y[chunk * {CHUNK} + i] = 2 * x[chunk * {CHUNK} + i];
  }} }}"""
STRIDES = f"""__global__ void k(const float* x, float* y, int* io, int chunks) {{
  for (int chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x)
    for (int i = threadIdx.x; i < {CHUNK}; i += blockDim.x) y[chunk * {CHUNK} + i] = 2 * x[chunk * {CHUNK} + i];
  if (threadIdx.x == 0) atomicAdd(io + 1 + blockIdx.x, 1); }}"""


def arguments(repeated, chunks: int) -> dict:
    x = np.arange(4096, dtype=np.float32)
    return {
        "x": repeated(x, chunks * CHUNK),
        "y": ("float32", chunks * CHUNK),
        "io": np.zeros(1024, np.int32),
        "chunks": chunks,
    }


def metric(profile, name: str) -> float:
    return next(one.value for one in profile.launches[0].metrics if one.name == name)


def test_a_queue_of_tickets_is_counted_whole_and_never_scaled(cuda, repeated):
    queue = cuda(TICKETS).profile(264, 128, arguments(repeated, CHUNKS))
    stride = cuda(STRIDES).profile(264, 128, arguments(repeated, CHUNKS))
    assert queue.launches[0].sampled_blocks == queue.launches[0].total_blocks == 264
    assert stride.launches[0].sampled_blocks < 264
    written = [metric(one, "l1tex__t_sectors_pipe_lsu_mem_global_op_st.sum") for one in (queue, stride)]
    assert written[0] == CHUNKS * CHUNK * 4 // 32
    assert written[0] == pytest.approx(written[1], rel=0.3)
    assert queue.latency_us < 2 * stride.latency_us


def test_a_value_from_an_atomic_operation_alone_does_not_make_a_queue(cuda, repeated):
    source = f"""__global__ void k(const float* x, float* y, int* io, int chunks) {{
      int i = blockIdx.x * blockDim.x + threadIdx.x;
      if (x[i] > 5) y[atomicAdd(io, 1) % (chunks * {CHUNK})] = x[i]; }}"""
    launch = cuda(source).profile(CHUNKS * CHUNK // 256, 256, arguments(repeated, CHUNKS)).launches[0]
    assert launch.sampled_blocks < launch.total_blocks


def test_where_one_block_does_the_work_all_are_counted(cuda, repeated):
    source = f"""__global__ void k(const float* x, float* y, int* io, int chunks) {{
      int turns = blockIdx.x == 0 ? 400 : 1;
      for (int t = 0; t < turns; t++) y[blockIdx.x * {CHUNK} + (threadIdx.x + t) % {CHUNK}] = x[threadIdx.x + t]; }}"""
    launch = cuda(source).profile(CHUNKS, 128, arguments(repeated, CHUNKS)).launches[0]
    assert launch.sampled_blocks == launch.total_blocks


def test_blocks_that_wait_for_all_others_are_counted_with_all_others(cuda, repeated):
    source = """__global__ void k(const float* x, float* y, int* io, int chunks) {
      if (threadIdx.x == 0) { atomicAdd(io, 1); while (atomicAdd(io, 0) < gridDim.x); }
      __syncthreads();
      y[blockIdx.x * blockDim.x + threadIdx.x] = x[threadIdx.x]; }"""
    profile = cuda(source).profile(264, 128, arguments(repeated, CHUNKS))
    assert profile.fault is None, profile.fault
    assert profile.launches[0].sampled_blocks == 264


WAITS = """
__device__ volatile int flag[4096];
__global__ void k(const float* x, float* y, int* io, int chunks) {
  int b = blockIdx.x, i = b * blockDim.x + threadIdx.x;
  if (threadIdx.x == 0) BEFORE
  __syncthreads();
  y[i] = x[i];
  __syncthreads();
  if (threadIdx.x == 0) { __threadfence(); flag[b] = 2; } }"""
IN_TURN = "{ if (b > 0) { while (!flag[b - 1]) {} __threadfence(); } }"
LOOK_BACK = """{
    flag[b] = 1;
    for (int p = b - 1; p >= 0; --p) { int f; while (!(f = flag[p])) {} __threadfence(); if (f == 2) break; } }"""


def test_blocks_that_wait_in_turn_take_as_long_as_all_their_turns(cuda, repeated):
    def latency(before: str) -> float:
        profile = cuda(WAITS.replace("BEFORE", before)).profile(136, 1024, arguments(repeated, CHUNKS))
        assert profile.fault is None, profile.fault
        return profile.latency_us

    chain, look_back = latency(IN_TURN), latency(LOOK_BACK)
    assert chain > 136 * 0.3
    assert look_back < 0.3 * chain


def test_looking_for_the_block_that_does_all_ends(cuda, repeated, monkeypatch):
    monkeypatch.setattr(sampling, "_SEARCHED", Work(10**9, 20_000))
    source = """__global__ void k(const float* x, float* y, int* io, int chunks) {
      if (blockIdx.x != 3000) return;
      for (int i = threadIdx.x; i < chunks * 1024; i += blockDim.x) y[i] = x[i]; }"""
    profile = cuda(source).profile(16384, 128, arguments(repeated, CHUNKS))
    assert profile.fault is not None
    assert profile.fault.verdict is Verdict.UNDECIDED
    assert "do not stand for the others" in profile.fault.message
