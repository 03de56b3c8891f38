"""The lines named first are the ones that cost most more than they need."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.device import Hotspot
from sandbox.simulator.cost.hotspots import MOST

SOURCE = """extern "C" __global__ void strided(const float* x, const float* y, float* out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  float a = y[i];
  float b = x[i * 32];
  out[i] = a + b;
}
extern "C" __global__ void conflicted(const float* x, float* out) {
  __shared__ float tile[32][32];
  for (int k = 0; k < 32; k++)
    tile[k][threadIdx.x] = x[k * 32 + threadIdx.x];
  __syncthreads();
  float sum = 0;
  for (int k = 0; k < 32; k++)
    sum += tile[threadIdx.x][k];
  out[blockIdx.x * 32 + threadIdx.x] = sum;
}
extern "C" __global__ void contended(const int* x, int* io_bins, float* io_sum, int* out) {
  __shared__ int local[32];
  local[threadIdx.x % 32] = 0;
  __syncthreads();
  atomicAdd(local, x[threadIdx.x]);
  atomicAdd(io_bins + blockIdx.x * blockDim.x + threadIdx.x, 1);
  atomicAdd(io_sum, 1.0f);
  __syncthreads();
  out[blockIdx.x * blockDim.x + threadIdx.x] = local[0];
}
extern "C" __global__ void parted(const float* x, float* out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  float v = x[i];
  if (threadIdx.x % 2)
    for (int k = 0; k < 64; k++)
      v = v * v + out[(i + k * 7) % 1024];
  out[i] = v;
}
extern "C" __global__ void fine(const float* x, float* out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = x[i];
}
"""


@pytest.fixture(scope="module")
def spots(cuda):
    """Hotspots of one launch."""

    def profile(kernel: str, grid: int, block: int, arguments: dict[str, object]) -> tuple[Hotspot, ...]:
        result = cuda(SOURCE).profile(grid, block, arguments, kernel=kernel)
        assert result.fault is None, result.fault
        return result.launches[0].hotspots

    return profile


def line(text: str) -> int:
    return next(number for number, one in enumerate(SOURCE.splitlines(), 1) if text in one)


def test_the_strided_load_is_named_before_the_others(spots):
    x = np.ones(256 * 32, np.float32)
    found = spots("strided", 4, 64, {"x": x, "y": x[:256], "out": ("float32", 256)})
    first = found[0]
    assert (first.line, first.what, first.value) == (line("x[i * 32]"), "sectors per request", 32)
    # 32 of 32 + 4 + 4 sectors a warp.
    assert first.share == pytest.approx(32 / 40)
    assert "ld.global" in first.instruction
    assert [one.line for one in found if one.what == "sectors per request"] == [first.line]


def test_a_bank_conflict_is_named_with_its_wavefronts(spots):
    x = np.ones(1024, np.float32)
    found = spots("conflicted", 4, 32, {"x": x, "out": ("float32", 128)})
    first = found[0]
    assert (first.line, first.value) == (line("sum += tile"), 32)
    assert first.what == "shared-memory wavefronts per request"
    assert "ld.shared" in first.instruction


def test_atomics_that_meet_are_named_and_those_that_do_not_are_not(spots):
    arguments = {"x": np.ones(64, np.int32), "io_bins": np.zeros(16 * 64, np.int32)}
    arguments |= {"io_sum": np.zeros(1, np.float32), "out": ("int32", 16 * 64)}
    found = {one.line: one for one in spots("contended", 16, 64, arguments) if "percent" not in one.what}
    together = found[line("io_sum, 1.0f")]
    assert (together.what, together.value) == ("operations on the busiest address", 16 * 64)
    assert together.share == pytest.approx(0.5)
    turns = found[line("atomicAdd(local")]
    assert (turns.what, turns.value) == ("lanes of a warp on one bank, taking turns", 32)
    assert line("io_bins + blockIdx") not in found


def test_a_branch_that_parts_warps_is_named(spots):
    found = spots("parted", 4, 64, {"x": np.ones(256, np.float32), "out": ("float32", 1024)})
    parted = next(one for one in found if one.what == "percent of warps diverge")
    assert (parted.line, parted.value) == (line("threadIdx.x % 2"), 100)
    assert parted.instruction.startswith("@")


def test_a_kernel_without_fault_is_told_only_where_its_instructions_go(spots):
    found = spots("fine", 4, 64, {"x": np.ones(256, np.float32), "out": ("float32", 256)})
    assert {one.what for one in found} == {"percent of issued instructions"}
    assert sum(one.share for one in found) == pytest.approx(1)
    assert found[0].line == line("out[i] = x[i];")


def test_at_most_a_few_are_named_with_shares_of_a_whole(spots):
    arguments = {"x": np.ones(64, np.int32), "io_bins": np.zeros(16 * 64, np.int32)}
    arguments |= {"io_sum": np.zeros(1, np.float32), "out": ("int32", 16 * 64)}
    found = spots("contended", 16, 64, arguments)
    assert 0 < len(found) <= MOST
    assert all(0 < one.share <= 1 for one in found)
