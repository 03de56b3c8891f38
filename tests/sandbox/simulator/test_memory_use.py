"""What a run or a profile takes from the host does not grow with the grid."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

SOURCE = """extern "C" __global__ void k(const float* x, float* y, long long n) {
  __shared__ float s[256];
  long long i = (long long)blockIdx.x * 256 + threadIdx.x;
  s[threadIdx.x] = i < n ? x[i & 0xFFFF] : 0;
  __syncthreads();
  float a = s[255 - threadIdx.x];
  for (int j = 0; j < 8; j++) a = a * a + s[(threadIdx.x + j) & 255];
  if (a == 12345.0f) y[0] = a;
}"""
MEBIBYTE = 1 << 20
X = np.arange(1 << 16, dtype=np.float32)


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def peak_of_run(kernel, blocks: int) -> int:
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    result = kernel.run(blocks, 256, {"x": X, "y": ("float32", 1), "n": np.int64(blocks * 256)})
    assert result.fault is None, result.fault
    return tracemalloc.get_traced_memory()[1] - before


@pytest.mark.usefixtures("traced")
def test_a_run_of_many_more_batches_of_blocks_takes_the_same_memory(cuda):
    kernel = cuda(SOURCE)
    peak_of_run(kernel, 128)
    few, many = peak_of_run(kernel, 4 * 128), peak_of_run(kernel, 50 * 128)  # one batch is 128 blocks
    assert many < few + 2 * MEBIBYTE
    assert many < 64 * MEBIBYTE


@pytest.mark.usefixtures("traced")
def test_a_launch_of_two_billion_blocks_over_64_gib_is_counted_within_256_mebibytes(cuda):
    source = """extern "C" __global__ void k(const float* x, float* y, long long n) {
      long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
      if (i < n) y[i] = x[i] + 1;
    }"""
    n = 1 << 33
    arguments = {"x": ("float32", n), "y": ("float32", n), "n": np.int64(n)}
    profile = cuda(source).profile(n // 256, 256, arguments)
    assert profile.fault is None, profile.fault
    launch = profile.launches[0]
    metrics = {metric.name: metric.value for metric in launch.metrics}
    assert launch.total_blocks == n // 256
    assert metrics["dram__bytes_read.sum"] == pytest.approx(4 * n, rel=1e-3)
    assert tracemalloc.get_traced_memory()[1] < 256 * MEBIBYTE
