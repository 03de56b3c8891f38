"""Speed that the tests of a search rely on."""

from __future__ import annotations

import time

import numpy as np


def test_a_tiled_matmul_of_512_runs_within_five_seconds_with_every_check_on(cuda):
    source = """extern "C" __global__ void k(const float* A, const float* B, float* C, int n) {
      __shared__ float a[16][16], b[16][16];
      int row = blockIdx.y * 16 + threadIdx.y, col = blockIdx.x * 16 + threadIdx.x; float sum = 0;
      for (int t = 0; t < n / 16; t++) {
        a[threadIdx.y][threadIdx.x] = A[row * n + t * 16 + threadIdx.x];
        b[threadIdx.y][threadIdx.x] = B[(t * 16 + threadIdx.y) * n + col];
        __syncthreads();
        for (int k = 0; k < 16; k++) sum += a[threadIdx.y][k] * b[k][threadIdx.x];
        __syncthreads();
      }
      C[row * n + col] = sum;
    }"""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((512, 512)).astype(np.float32) for _ in range(2))
    matmul = cuda(source)
    arguments = {"A": a.reshape(-1), "B": b.reshape(-1), "C": ("float32", 512 * 512), "n": 512}
    started = time.process_time()
    result = matmul.run((32, 32, 1), (16, 16, 1), arguments)
    seconds = time.process_time() - started
    assert result.fault is None, result.fault
    assert np.allclose(result.outputs["C"].reshape(512, 512), a @ b, atol=2e-3)
    assert seconds < 5.0
