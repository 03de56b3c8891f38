"""A guard against slow simulation; the benchmark measures, this only alarms."""

from __future__ import annotations

import time

import numpy as np


def test_a_tiled_matmul_of_512_runs_with_all_checks_in_seconds(cuda):
    source = """extern "C" __global__ void k(const float* a, const float* b, float* out, int n) {
      __shared__ float s[16][16], t[16][16];
      int x = threadIdx.x, y = threadIdx.y, row = blockIdx.y * 16 + y, column = blockIdx.x * 16 + x;
      float sum = 0;
      for (int k = 0; k < n; k += 16) {
        s[y][x] = a[row * n + k + x]; t[y][x] = b[(k + y) * n + column]; __syncthreads();
        for (int j = 0; j < 16; j++) sum += s[y][j] * t[j][x];
        __syncthreads();
      }
      out[row * n + column] = sum; }"""
    a, b = np.random.default_rng(0).standard_normal((2, 512, 512)).astype(np.float32)
    kernel = cuda(source)
    arguments = {"a": a.reshape(-1), "b": b.reshape(-1), "out": ("float32", 512 * 512), "n": 512}
    started = time.process_time()
    result = kernel.run((32, 32, 1), (16, 16, 1), arguments)
    assert time.process_time() - started < 5.0
    assert result.fault is None, result.fault
    np.testing.assert_allclose(result.outputs["out"].reshape(512, 512), a @ b, rtol=1e-3, atol=1e-3)
