"""Mistakes that show only where a block is held back in the middle of what it does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sandbox.verdict import Verdict

SEEDS = range(1, 17, 2)

QUEUE = """extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
  __shared__ int job;
  int tiles = n / 64, *mid = io, *ready = io + n, t = threadIdx.x;
  for (;;) {
    __syncthreads();
    if (t == 0) job = atomicAdd(&ready[tiles], 1);
    __syncthreads();
    if (job >= 2 * tiles) return;
    int tile = job / 2, i = tile * 64 + t;
    if (job % 2 == 0) {
      mid[i] = x[i] * x[i];
      __threadfence();
      __syncthreads();
      if (t == 0) atomicExch(&ready[tile], 1);
    } else {
      if (t < AWAITED && tile >= t) {
        while (*(volatile int*)&ready[tile - t] == 0) {}
        __threadfence();
      }
      __syncthreads();
      y[i] = mid[i] + (tile ? mid[i - 64] : 0);
    }
  } }"""
LOOK_BACK = """extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
  volatile int* flag = io;
  int *part = io + 16, *prefix = io + 32, b = blockIdx.x, v = x[b * 32 + threadIdx.x];
  for (int d = 1; d < 32; d *= 2) { int w = __shfl_up_sync(~0u, v, d); if (threadIdx.x >= d) v += w; }
  int sum = 0;
  if (threadIdx.x == 31) {
    part[b] = v;
    __threadfence();
    flag[b] = 1;
    for (int p = b - 1; p >= 0; --p) {
      int found;
      do found = flag[p]; while (found == 0);
      __threadfence();
      if (found == 2) { sum += prefix[p]; break; }
      sum += part[p];
    }
    PUBLISH
  }
  y[b * 32 + threadIdx.x] = v + __shfl_sync(~0u, sum, 31); }"""
FIRST = "prefix[b] = sum + v; __threadfence(); flag[b] = 2;"
LATER = "__threadfence(); flag[b] = 2; prefix[b] = sum + v;"

RIGHT = [QUEUE.replace("AWAITED", "2"), LOOK_BACK.replace("PUBLISH", FIRST)]
WRONG = [QUEUE.replace("AWAITED", "1"), LOOK_BACK.replace("PUBLISH", LATER)]


def verdicts(cuda: Any, source: str) -> list[Verdict]:
    n, (grid, block) = (448, (3, 64)) if source.count("job") else (320, (10, 32))
    given = {"x": np.arange(n, dtype=np.int32), "y": ("int32", n), "io": np.zeros(2 * n, np.int32), "n": n}
    results = [cuda(source).run(grid, block, dict(given), poison=seed) for seed in SEEDS]
    return [Verdict.PASS if result.fault is None else result.fault.verdict for result in results]


@pytest.mark.parametrize("source", RIGHT, ids=["queue", "look-back"])
def test_a_right_hand_over_passes_whoever_is_held_back(cuda: Any, source: str):
    assert set(verdicts(cuda, source)) == {Verdict.PASS}


@pytest.mark.parametrize("source", WRONG, ids=["queue", "look-back"])
def test_a_hand_over_that_goes_wrong_only_if_a_block_is_late_is_found_by_half_of_the_schedules(
    cuda: Any, source: str
):
    assert verdicts(cuda, source).count(Verdict.RACE) >= len(SEEDS) // 2


TOGETHER = """extern "C" __global__ void k(const int* x, int* y, int n) {
  int i = threadIdx.x;
  if (x[i] & 1) for (int r = 0; r < 3; ++r) ((volatile int*)y)[i] = r;
  y[i] = __popc(MASK); }"""


def counts(cuda: Any, mask: str, seed: int) -> set[int]:
    given = {"x": np.arange(64, dtype=np.int32), "y": ("int32", 64), "n": 64}
    result = cuda(TOGETHER.replace("MASK", mask)).run(1, 64, given, poison=seed)
    assert result.fault is None
    return set(result.outputs["y"].tolist())


def test_lanes_that_a_branch_divided_need_not_execute_together_behind_it(cuda: Any):
    found = [counts(cuda, "__activemask()", seed) for seed in SEEDS]
    assert sum(one != {32} for one in found) >= len(SEEDS) // 2
    assert counts(cuda, "__activemask()", 2) == {32}  # lock step
    assert all(counts(cuda, "(__syncwarp(), __ballot_sync(~0u, true))", seed) == {32} for seed in SEEDS)
