"""What the estimate takes the assembler to do: merge loads, predicate short blocks, empty loops of what stays the same."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.device import LaunchProfile

SOURCE = """
extern "C" __global__ void words(float* out, int first, int step) {
  __shared__ __align__(16) float tile[1024];
  for (int i = threadIdx.x; i < 1024; i += 32) tile[i] = i;
  __syncthreads();
  const float* from = tile + first;
  float sum = 0;
  #pragma unroll
  for (int i = 0; i < 8; i++) sum += from[(threadIdx.x % 4) * 8 + i] * (i + 1);
  out[threadIdx.x] = sum;
}
extern "C" __global__ void guarded(const float* x, float* out, int n) {
  int at = threadIdx.x;
  float a = 0, b = 0, c = 0, d = 0;
  if (at < n) a = x[at];
  __shared__ float tile[128];
  tile[at] = a;
  if (at + 32 < n) b = x[at + 32];
  tile[at + 32] = b;
  if (at + 64 < n) c = x[at + 64];
  tile[at + 64] = c;
  if (at + 96 < n) d = x[at + 96];
  tile[at + 96] = d;
  __syncwarp();
  out[at] = tile[127 - at];
}
extern "C" __global__ void plain(const float* x, float* out, int n) {
  int at = threadIdx.x;
  __shared__ float tile[128];
  tile[at] = x[at];
  tile[at + 32] = x[at + 32];
  tile[at + 64] = x[at + 64];
  tile[at + 96] = x[at + 96];
  __syncwarp();
  out[at] = tile[127 - at];
}
extern "C" __global__ void addresses(const int* x, int* out, int turns) {
  __shared__ int tile[32];
  tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  int sum = 0;
  #pragma unroll 1
  for (int turn = 0; turn < turns; turn++) {
    int value, place = (int)__cvta_generic_to_shared(tile);
    asm volatile("{ .reg .u32 a, b, c, d; shl.b32 a, %2, 3; xor.b32 b, a, 96; and.b32 c, b, 124; add.u32 d, c, %1;"
                 " ld.volatile.shared.u32 %0, [d]; }" : "=r"(value) : "r"(place), "r"(threadIdx.x));
    sum += value;
  }
  out[threadIdx.x] = sum;
}
"""


def metric(profile: LaunchProfile, name: str) -> float:
    return next(one.value for one in profile.metrics if one.name == name)


@pytest.fixture(scope="module")
def ask(cuda):
    program = cuda(SOURCE, "sm_90")

    def profile(kernel: str, arguments: dict[str, object]) -> LaunchProfile:
        result = program.profile(1, 32, arguments, kernel=kernel, device="h200")
        assert result.fault is None, result.fault
        return result.launches[0]

    return profile


def test_neighbouring_words_are_loaded_together_where_they_are_aligned(ask):
    out = ("float32", 32)
    aligned, off = (ask("words", {"out": out, "first": first, "step": 1}) for first in (0, 1))
    assert metric(aligned, "smsp__inst_executed_op_shared_ld.sum") == 2
    assert metric(off, "smsp__inst_executed_op_shared_ld.sum") == 8


def test_guarded_loads_are_on_their_way_together(ask):
    arguments = {"x": np.ones(128, np.float32), "out": ("float32", 32), "n": 128}
    guarded, plain = (ask(kernel, arguments).latency_us for kernel in ("guarded", "plain"))
    assert guarded < 1.1 * plain


def test_arithmetic_that_no_turn_changes_is_not_counted_in_each(ask):
    arguments = {"x": np.ones(32, np.int32), "out": ("int32", 32)}
    few, many = (
        metric(ask("addresses", arguments | {"turns": turns}), "smsp__inst_executed.sum")
        for turns in (100, 200)
    )
    # The load, the sum, the turn's number, its comparison and its jump.
    assert (many - few) / 100 == 5
