"""Block barriers in all their forms: named, counted, reducing, arriving; and those that never open."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.verdict import Verdict


def test_barriers_that_reduce_give_every_thread_the_result(cuda):
    source = """extern "C" __global__ void k(const int* x, int* out) {
      int i = threadIdx.x, v = x[blockIdx.x * blockDim.x + i];
      int r = __syncthreads_count(v > 3) * 4 + __syncthreads_and(v >= 0) * 2 + !!__syncthreads_or(v == 9);
      out[blockIdx.x * blockDim.x + i] = r; }"""
    x = np.random.default_rng(1).integers(0, 9, 96 * 3).astype(np.int32)
    x[5], x[100] = -1, 9
    result = cuda(source).run(3, 96, {"x": x, "out": ("int32", 288)})
    assert result.fault is None, result.fault
    for block, values in enumerate(x.reshape(3, 96)):
        expected = (values > 3).sum() * 4 + (values >= 0).all() * 2 + (values == 9).any()
        assert set(result.outputs["out"][block * 96 : block * 96 + 96].tolist()) == {expected}


def test_a_reducing_barrier_works_for_the_threads_that_are_left(cuda):
    source = """extern "C" __global__ void k(int* out) {
      int i = threadIdx.x; if (i >= 40) { out[i] = -1; return; }
      out[i] = __syncthreads_count(i & 1); }"""
    result = cuda(source).run(1, 64, {"out": ("int32", 64)})
    assert result.fault is None, result.fault
    assert result.outputs["out"].tolist() == [20] * 40 + [-1] * 24


@pytest.mark.parametrize("number", range(0, 16, 5))
def test_named_barriers_hold_only_the_threads_they_count(cuda, number):
    source = f"""extern "C" __global__ void k(int* out) {{
      __shared__ int s[128]; int i = threadIdx.x;
      s[i] = i;
      if (i < 64) {{ asm volatile("bar.sync {number}, 64;" ::: "memory"); out[i] = s[63 - i]; }}
      else {{ asm volatile("bar.sync {(number + 1) % 16}, 64;" ::: "memory"); out[i] = s[191 - i] * 2; }}
    }}"""
    result = cuda(source).run(2, 128, {"out": ("int32", 128)})
    assert result.fault is None, result.fault
    assert result.outputs["out"].tolist() == [63 - i if i < 64 else 2 * (191 - i) for i in range(128)]


def test_warps_at_different_places_meet_at_one_named_barrier(cuda):
    source = """extern "C" __global__ void k(int* out, int n) {
      __shared__ int s[2]; int i = threadIdx.x, role = i / 32;
      if (role == 0) { if (i == 0) s[0] = n; asm volatile("barrier.sync 3, 64;" ::: "memory"); out[i] = s[1]; }
      else { if (i == 32) s[1] = 2 * n; asm volatile("barrier.sync 3, 64;" ::: "memory"); out[i] = s[0]; }
    }"""
    result = cuda(source).run(3, 64, {"out": ("int32", 64), "n": 21})
    assert result.fault is None, result.fault
    assert result.outputs["out"].tolist() == [42] * 32 + [21] * 32


def test_producers_arrive_and_consumers_wait(cuda):
    source = """extern "C" __global__ void k(const int* x, int* out, int rounds) {
      __shared__ int s[32]; int i = threadIdx.x, lane = i & 31, sum = 0;
      for (int r = 0; r < rounds; r++) {
        if (i < 32) {
          if (r) asm volatile("bar.sync 2, 64;" ::: "memory");
          s[lane] = x[r * 32 + lane];
          asm volatile("bar.arrive 1, 64;" ::: "memory");
        } else {
          asm volatile("bar.sync 1, 64;" ::: "memory");
          sum += s[31 - lane];
          if (r + 1 < rounds) asm volatile("bar.arrive 2, 64;" ::: "memory");
        }
      }
      if (i >= 32) out[lane] = sum;
    }"""
    x = np.arange(160, dtype=np.int32) ** 2
    result = cuda(source).run(1, 64, {"x": x, "out": ("int32", 32), "rounds": 5})
    assert result.fault is None, result.fault
    assert result.outputs["out"].tolist() == x.reshape(5, 32)[:, ::-1].sum(axis=0).tolist()


def test_a_barrier_number_may_differ_between_warps(cuda):
    source = """extern "C" __global__ void k(int* out) {
      __shared__ int s[256]; int i = threadIdx.x, pair = i / 64;
      s[i] = i; asm volatile("bar.sync %0, 64;" :: "r"(pair + 1) : "memory");
      out[i] = s[pair * 64 + 63 - (i & 63)]; }"""
    result = cuda(source).run(2, 256, {"out": ("int32", 256)})
    assert result.fault is None, result.fault
    assert result.outputs["out"].tolist() == [i // 64 * 64 + 63 - i % 64 for i in range(256)]


@pytest.mark.parametrize(
    "body",
    [
        "if (threadIdx.x < 32) __syncthreads();",
        "if (threadIdx.x < 32) __syncthreads(); else { __syncthreads(); out[1] = 2; __syncthreads(); }",
        'if (threadIdx.x < 32) asm volatile("bar.sync 1, 64;"); else asm volatile("bar.sync 2, 64;");',
        'if (threadIdx.x < 32) asm volatile("bar.sync 1, 96;"); else asm volatile("bar.arrive 1, 96;");',
        "if (threadIdx.x < 32) out[64] = __syncthreads_count(threadIdx.x);",
    ],
)
def test_a_barrier_that_can_never_open_is_divergence(cuda, body):
    late = "" if "else" in body else "if (threadIdx.x >= 32) __syncthreads();"
    plain = cuda(f'extern "C" __global__ void k(int* out) {{\n{body}\n{late} out[threadIdx.x] = 1; }}')
    fault = plain.run(1, 64, {"out": ("int32", 65)}).fault
    assert fault is not None
    assert fault.verdict is Verdict.BARRIER_DIVERGENCE
    assert fault.line == 2


def test_waiting_for_what_never_comes_is_a_timeout(cuda):
    source = """extern "C" __global__ void k(int* io) {
      if (threadIdx.x == 0) while (atomicAdd(io, 0) == 0) __nanosleep(20);
      io[1] = 1; }"""
    fault = cuda(source).run(1, 32, {"io": np.zeros(2, np.int32)}).fault
    assert fault is not None
    assert fault.verdict is Verdict.TIMEOUT
    assert fault.line == 2
    assert "livelock" in fault.message


def test_spinning_threads_let_those_run_that_they_wait_for(cuda):
    source = """extern "C" __global__ void k(int* lock, int* total) {
      for (int turn = 0; turn < 2; turn++) {
        bool done = false;
        while (!done) if (atomicCAS(lock, 0, 1) == 0) {
          __threadfence(); atomicAdd(total, 1 + turn); __threadfence(); atomicExch(lock, 0); done = true;
        }
      } }"""
    arguments = {"io_lock": np.zeros(1, np.int32), "io_total": np.zeros(1, np.int32)}
    result = cuda(source).run(4, 8, arguments)
    assert result.fault is None, result.fault
    assert result.outputs["io_total"].tolist() == [32 * 3]
